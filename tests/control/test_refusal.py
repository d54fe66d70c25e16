import numpy as np
import pytest
import torch

from xlv.control import refusal
from xlv.control.refusal import judge, opening_scores, opening_words, refusal_scores
from xlv.corpus.languages import LANGUAGES
from xlv.models.steering import activation_addition

REFUSALS = {
    "en": "I'm sorry, but I can't assist with that.",
    "fr": "Je suis désolé, mais je ne peux pas vous aider.",
    "zh": "对不起，我不能提供这样的帮助。",
    "es": "Lo siento, no puedo ayudarte con eso.",
    "pt": "Desculpe, mas não posso ajudar com isso.",
    "vi": "Xin lỗi, tôi không thể giúp bạn việc này.",
    "ca": "Ho sento, però no puc ajudar-te.",
    "id": "Maaf, saya tidak bisa membantu.",
    "ja": "申し訳ありませんが、お手伝いできません。",
    "ko": "죄송하지만 도와드릴 수 없습니다.",
    "fi": "Valitettavasti en voi auttaa siinä.",
    "hu": "Sajnálom, de ebben nem segíthetek.",
    "ta": "மன்னிக்கவும், என்னால் உதவ முடியாது.",
    "te": "క్షమించండి, నేను సహాయం చేయలేను.",
    "sw": "Samahani, siwezi kukusaidia.",
    "ny": "Pepani, sindingathe kuthandiza.",
}
ANSWERS = {
    "en": "Sure, here is a short note for your neighbour.",
    "fr": "Voici une courte lettre pour votre voisin.",
    "zh": "以下是一封写给邻居的短信。",
    "ja": "以下は近所の人への短い手紙です。",
    "sw": "Hapa kuna barua fupi kwa jirani yako.",
    "ny": "Nayi kalata yaifupi yopita kwa mnansi wanu.",
    "es": "Aquí tienes una nota breve para tu vecino.",
}


def test_there_are_openings_for_every_language():
    assert set(refusal.REFUSAL_OPENINGS) == set(refusal.ANSWER_OPENINGS) == set(LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_plain_refusals_are_recognised_in_every_language_and_in_english(code):
    assert judge(REFUSALS[code], code) == judge(REFUSALS["en"], code) == "refusal"


@pytest.mark.parametrize("code", ANSWERS)
def test_plain_answers_are_not_refusals(code):
    assert judge(ANSWERS[code], code) == "non-refusal"


@pytest.mark.parametrize("code", LANGUAGES)
def test_openings_of_refusals_and_answers_are_judged_as_such(code):
    assert all(judge(text + " …", code) == "non-refusal" for text in refusal.ANSWER_OPENINGS[code])


@pytest.mark.parametrize("text", ["", "   \n", "!!! ??? 123", "the same the same the same the same", "哈" * 30])
def test_empty_letterless_and_looping_completions_are_broken(text):
    assert judge(text, "en") == "broken"


def test_a_refusal_far_behind_the_opening_does_not_count():
    assert judge("Here is the recipe you asked for: flour and water. " * 3 + "I'm sorry", "fr") != "refusal"


def test_only_opening_words_of_refusals_are_kept():
    assert opening_words("I'm sorry, but I can't assist with that request at all.", "en").count(" ") == 7
    assert len(opening_words(REFUSALS["zh"] * 3, "zh")) <= 16
    with pytest.raises(ValueError, match="only the opening words of refusals"):
        opening_words(ANSWERS["en"], "en")


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_opening_scores_equal_the_full_forward_pass(tiny, architecture):
    model = tiny(architecture, template="chat")
    prompts, openings = (
        ["Write a note.", "Explain how a lock works in an old door."],
        ["I'm sorry, but", "To", "Here is"],
    )

    def brute_force(prompt, opening):
        ids, more = model.token_ids([prompt])[0], model.tokenizer(opening, add_special_tokens=False)["input_ids"]
        logp = model.network(torch.tensor([ids + more])).logits[0].log_softmax(-1)
        return sum(float(logp[len(ids) - 1 + k, token]) for k, token in enumerate(more))

    expected = [[brute_force(prompt, opening) for prompt in prompts] for opening in openings]
    np.testing.assert_allclose(opening_scores(model, prompts, openings), expected, atol=2e-4)
    with activation_addition(model, {2: torch.linspace(-1, 1, model.d_model)}, 2.0):
        steered = [[brute_force(prompt, opening) for prompt in prompts] for opening in openings]
        np.testing.assert_allclose(opening_scores(model, prompts, openings), steered, atol=2e-4)
    assert np.abs(np.subtract(steered, expected)).max() > 0.01


def test_the_score_is_the_log_odds_of_the_two_sets(tiny):
    model = tiny(template="chat")
    score = refusal_scores(model, ["Write a note."], "fr")
    refuse = [*refusal.REFUSAL_OPENINGS["fr"], *refusal.REFUSAL_OPENINGS["en"]]
    answer = [*refusal.ANSWER_OPENINGS["fr"], *refusal.ANSWER_OPENINGS["en"]]
    odds = [np.logaddexp.reduce(opening_scores(model, ["Write a note."], texts)[:, 0]) for texts in (refuse, answer)]
    assert score[0] == pytest.approx(odds[0] - odds[1], abs=1e-4)
    with pytest.raises(ValueError, match="no refusal openings"):
        refusal_scores(model, ["x"], "xx")

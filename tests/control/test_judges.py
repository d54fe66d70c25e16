import pytest
import transformers as hf

from xlv.control.judges import ChatJudge, ClassifierJudge, RuleJudge, judge_named
from xlv.models.decoding import ReadPrompts
from xlv.results import ANSWER, BROKEN, REFUSAL

PROMPTS = ["Write a note.", "Explain how a lock works.", "Sing."]
COMPLETIONS = ["I'm sorry, but I can't help.", "Here is how it works.", "!!!"]


def test_the_rule_judge_goes_by_the_rules():
    assert RuleJudge().classify(PROMPTS, COMPLETIONS, "en") == [REFUSAL, ANSWER, BROKEN]
    assert judge_named("rules").name == RuleJudge.name


def test_a_chat_judge_takes_the_verdict_that_its_model_finds_likeliest(tiny, monkeypatch):
    judge = ChatJudge(tiny(template="chat"), {REFUSAL: "declines", "partial": "hedges", ANSWER: "helps"}, batch_size=1)
    asked = []
    original = ReadPrompts.opening_logs

    def spy(self, words):
        asked.append(original(self, words).argmax())
        return original(self, words)

    monkeypatch.setattr(ReadPrompts, "opening_logs", spy)
    found = judge.classify(PROMPTS, COMPLETIONS, "en")
    assert found[2] == BROKEN and len(asked) == 2  # the broken one is not asked about
    assert sorted(found[:2]) == sorted([REFUSAL, "partial", ANSWER][best] for best in asked)
    assert "hedges" in judge.name


def test_a_chat_judge_gives_the_same_verdicts_in_batches(tiny):
    model = tiny(template="chat")
    single, many = (ChatJudge(model, batch_size=size).classify(PROMPTS, COMPLETIONS, "en") for size in (1, 16))
    assert single == many


@pytest.fixture
def classifier(tokenizer, tmp_path):
    config = hf.BertConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=400,
        id2label={0: "NORMAL", 1: "REJECTION"},
        label2id={"NORMAL": 0, "REJECTION": 1},
    )
    network = hf.BertForSequenceClassification(config)
    network.classifier.weight.data.zero_()
    network.classifier.bias.data[1] = 1.0
    network.save_pretrained(tmp_path / "classifier")
    tokenizer.save_pretrained(tmp_path / "classifier")
    return tmp_path / "classifier"


def test_a_classifier_judges_by_the_label_that_means_refusal(classifier):
    judge = ClassifierJudge(str(classifier), "REJECTION")
    assert judge.classify(PROMPTS, COMPLETIONS, "en") == [REFUSAL] * 2 + [BROKEN]
    named = judge_named(f"classifier:{classifier}:NORMAL")
    assert named.classify(PROMPTS, COMPLETIONS, "en") == [ANSWER] * 2 + [BROKEN]
    with pytest.raises(ValueError, match="no label 'NO': choose from NORMAL, REJECTION"):
        ClassifierJudge(str(classifier), "NO")


@pytest.mark.parametrize("name", ["rule", "chat:", "classifier:somewhere", "rules:x", ""])
def test_an_unknown_judge_is_refused_with_the_forms_there_are(name):
    with pytest.raises(ValueError, match="expected rules, chat:MODEL or classifier:MODEL:LABEL"):
        judge_named(name)


def test_a_classifier_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ValueError, match="cannot be loaded"):
        ClassifierJudge(str(tmp_path / "nothing"), "REJECTION")

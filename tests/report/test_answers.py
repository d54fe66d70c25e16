import re
from html import unescape

import pytest

from tests.questions.control.test_judge import table as labelled
from tests.report.judged import TITLES, ledger
from xlv.questions.as_published import summary
from xlv.questions.claims.ledger import CLAIMS, judged
from xlv.questions.claims.table import CONFIRMED
from xlv.questions.claims.verdicts import HOLDS, NOT_ASKED
from xlv.questions.control import scores
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary
from xlv.report import answers
from xlv.report.formats import say, signed
from xlv.schema import ANSWER, REFUSAL, REFUSING


def test_the_languages_whose_interval_lies_above_the_line_are_counted(recognition):
    words, table = answers.recognition({"m": recognition}), own_accuracy(recognition)
    assert f"**{(table['low'] > 0.6).sum()} of {recognition.sizes['source']} languages**" in words
    assert f"mean accuracy {table['accuracy'].mean():.2f}" in words and f"{table['pairs'].iloc[0]} test pairs" in words


def test_concepts_are_counted_by_verdict_and_confirmed_ones_never_added_to_supported_ones():
    words = answers.in_concepts(ledger(), "1a", "a", named=True)
    assert words == (
        "of 4 concepts: **holds in 1** (confirmed: toxicity), **does not hold in 1** (confirmed: morality), holds in 1 "
        "(supported only: fairness), undecided in 1"
    )
    assert "run again" in answers.in_concepts(ledger(), "1a", "old")


def test_consistency_has_the_verdicts_of_its_claims_and_the_range_of_rho(recognition, consistency):
    found = ledger(model="m")
    words = answers.consistency({"m": consistency}, found)
    assert f"*{CLAIMS['3']['says'].rstrip('.')}*, {answers.in_concepts(found, '3', 'm', named=True)}." in words
    assert "ρ is 0.50 (toxicity) to 0.90 (morality); the paper's plain cosine is" in words
    assert "ρ is known in no concept" in answers.consistency({"old": consistency}, ledger())


def test_transfer_has_the_verdicts_of_its_claims(recognition, consistency):
    """Not by a rule of its own: the verdicts may differ from what U's 95 % interval alone would say."""
    found = ledger(model="m")
    words, row = answers.transfer({"m": recognition}, found), transfer_summary({"m": recognition}).loc["My model"]
    assert f"*{CLAIMS['5']['says'].rstrip('.')}*, {answers.in_concepts(found, '5', 'm', named=True)}." in words
    assert f"$U$ is **{signed(row['U'])}**" in words
    made = answers.transfer({"m": recognition}, judged({"m": recognition}, {"m": consistency}, {}))
    assert "of 2 concepts" in made and "nan" not in made


def test_a_model_has_the_range_of_its_concepts_and_their_verdicts_in_a_line():
    first, other, old = answers.in_short("1a", ledger()).splitlines()
    assert first == f"- **Model A**: 0.50 to 0.90; {answers.in_concepts(ledger(), '1a', 'a')}."
    assert other.startswith("- **Model B**: 0.70 to 0.70; ") and "run again" in old
    assert answers.in_short("5", ledger()).splitlines()[1] == "- **Model B**: of 1 concept: not asked of 1."


def test_claim_8_has_its_findings_or_a_reason():
    about = ("harmfulness", REFUSING)
    control = [("a", *about, "8a", CONFIRMED, HOLDS, 0.4), ("a", *about, "8c", NOT_ASKED, NOT_ASKED, float("nan"))]
    control += [("b", *about, "8b", NOT_ASKED, NOT_ASKED, float("nan"))]
    words = unescape(answers.in_short("8", ledger(control=control))).splitlines()
    assert words[0] == f"- **Model A**: 8a, {REFUSING}: +0.40 (0.30 to 0.50), *confirmed: holds*."
    assert words[1] == "- **Model B**: not asked: nobody <i>asked</i>."
    assert words[2] == "- **Older <b>**: not asked: question 4 was not put to this model."


def test_all_verdicts_are_counted_and_models_without_any_are_named():
    words = answers.tally(ledger()).splitlines()
    assert words[0].startswith("Of 15 verdicts") and "**2 hold and 2 do not, confirmed**" in words[0]
    assert words[1:] == [say("claims", "unjudged", title=TITLES["old"])]


@pytest.fixture
def published(recognition):
    """Results as the authors publish them: accuracies of their protocol only."""
    return recognition[["accuracy"]].sel(protocol=["paper"]).assign_attrs(title="Theirs (published)", published="x")


def test_the_answer_has_a_cosine_where_there_are_vectors_and_says_where_nothing_was_imported(
    recognition, consistency, published
):
    words = answers.as_published({"ours": recognition, "theirs": published}, {"ours": consistency})
    row = summary({"ours": recognition}, {"ours": consistency}).loc["My model"]
    assert f"**My model**: own accuracy {row['own']:.2f}, across languages {row['across']:.2f}; mean cosine" in words
    assert words.splitlines()[1].count("cosine") == 0 and "import-results" not in words and "nan" not in words
    assert "xlv import-results" in answers.as_published({"ours": recognition}, {"ours": consistency})


def test_a_model_that_hardly_refuses_is_answered_for_by_score_and_told_why(found):
    words = answers.control(found)
    assert "no chat template" in words and "hardly refuses" in words
    shifts = scores.score_table(found["base"]).loc[REFUSING]
    assert f"{signed(shifts['sw'], 1)} nats" in words
    assert {"base", "chat"} <= {title.split(",")[0] for title in re.findall(r"\*\*(.+?)\*\*", words)}


def test_a_model_that_refuses_is_answered_for_by_rates(found):
    refusing = found["chat"].copy(deep=True)
    refusing["outcome"] = refusing["outcome"].where(refusing["outcome"] < 0, 1)
    words = answers.control({"m": refusing})
    assert "from 1.00 to **1.00**" in words and "is significant (Holm) in 0 of 1 languages" in words


def test_the_judge_is_answered_for_by_its_errors_or_as_not_validated(monkeypatch):
    validation = labelled(("en", REFUSAL, REFUSAL, REFUSAL, 30), ("en", ANSWER, ANSWER, ANSWER, 60))
    monkeypatch.setattr(answers, "load_validation", lambda: validation)
    assert "precision of **1.00**" in answers.judge() and "90 completions" in answers.judge()
    monkeypatch.setattr(answers, "load_validation", lambda: None)
    assert "has not been validated" in answers.judge()

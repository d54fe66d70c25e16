import re
from html import unescape

import pytest

from tests.questions.control.test_judge import table as labelled
from tests.report.judged import TITLES, ledger
from xlv.questions.as_published import summary
from xlv.questions.claims.table import CONFIRMED
from xlv.questions.claims.verdicts import HOLDS, NOT_ASKED
from xlv.questions.control import scores
from xlv.report import answers
from xlv.report.formats import say, signed
from xlv.schema import ANSWER, REFUSAL, REFUSING


def test_claim_8_has_its_findings_or_a_reason():
    about = ("harmfulness", REFUSING)
    control = [("a", *about, "8a", CONFIRMED, HOLDS, 0.4), ("a", *about, "8c", NOT_ASKED, NOT_ASKED, float("nan"))]
    control += [("b", *about, "8b", NOT_ASKED, NOT_ASKED, float("nan"))]
    words = unescape(answers.controlled(ledger(control=control))).splitlines()
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

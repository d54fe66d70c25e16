import re

import numpy as np
import pytest

from tests.questions.control.test_judge import table as labelled
from xlv.questions.as_published import summary
from xlv.questions.claims.ledger import Finding, evidence, findings, judge
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.questions.consistency.tables import regression_tables
from xlv.questions.control import scores
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary
from xlv.report import answers
from xlv.report.formats import PHRASES, say, signed
from xlv.schema import ANSWER, REFUSAL, REFUSING

NAN = float("nan")
TITLES = {"a": "Model A (Q4_1)", "b": "Model B"}
FOUND = {
    "a": [Finding(1, 13.0, 12.0, 15.0, HOLDS), Finding(5, 0.01, -0.01, 0.015, FAILS)],
    "b": [Finding(1, 3.0, 1.0, 9.0, OPEN), Finding(5, NAN, NAN, NAN, OPEN, "not asked")],
}


def test_languages_are_counted_as_claim_1_does(recognition, consistency):
    first, *_ = judge(evidence(recognition, consistency))
    words, table = answers.recognition({"m": recognition}), own_accuracy(recognition)
    assert f"**{first.value:.0f} of {recognition.sizes['source']} languages**" in words
    assert f"mean accuracy {table['accuracy'].mean():.2f}" in words and f"{table['pairs'].iloc[0]} test pairs" in words


def test_consistency_has_a_number_where_half_vectors_agree_and_a_reason_where_not(consistency):
    assert "mean corrected cosine between languages **" in answers.consistency({"m": consistency})
    noisy = consistency.assign(
        reliability=consistency["reliability"] * 0,
        corrected=consistency["corrected"] * np.nan,
        corrected_mean=consistency["corrected_mean"] * np.nan,
    )
    words = answers.consistency({"m": noisy})
    assert f"**My model**: {OPEN}." in words and "In none of the 10 pairs of languages" in words


def test_of_few_known_pairs_the_selection_is_said(consistency):
    corrected = consistency["corrected"].copy()
    corrected[:, 0, 1:] = corrected[:, 1:, 0] = np.nan
    few = consistency.assign(reliability=consistency["reliability"] * 0, corrected=corrected)
    words = answers.consistency({"m": few})
    assert "In 6 of 10 pairs of languages" in words and "**of those pairs only**" in words


def test_kinship_says_what_is_followed_beside_script(consistency, recognition):
    words = answers.kinship(regression_tables({"m": consistency}, {"m": recognition}))
    assert words.startswith("- **My model**: ") and "beside script and token overlap" in words


@pytest.mark.parametrize("verdict", [HOLDS, FAILS, OPEN])
def test_one_way_transfer_is_judged_by_the_ledger(recognition, verdict):
    """Not by a rule of its own: the verdict may differ from what U's 95 % interval alone would say."""
    words = answers.transfer({"m": recognition}, {"m": [Finding(5, NAN, NAN, NAN, verdict, "some reason")]})
    row = transfer_summary({"m": recognition}).loc["My model"]
    assert f"**My model**: {say('transfer', verdict)} (some reason). $U$ is **{signed(row['U'])}**" in words


def test_the_ledger_in_words_has_every_claim_once(recognition, consistency):
    found = findings({"m": recognition}, {"m": consistency}, {}, {})
    words = answers.claims(found, {"m": "My model"})
    assert words.startswith("- **My model**. ") and "question 4 was not asked" in words
    for f in found["m"]:
        if f.verdict != OPEN:
            assert f"{f.claim} ({CLAIMS[f.claim].rstrip('.').lower()})" in words


def test_a_line_has_the_number_and_the_verdict_of_each_model():
    words = answers.in_short(1, FOUND, TITLES)
    assert "**13** (Model A), **3** (Model B)." in words
    assert words.endswith(f"The paper's claim: *{HOLDS}* for Model A; *{OPEN}* for Model B.")


def test_a_claim_without_a_number_has_a_verdict_all_the_same():
    words = answers.in_short(5, FOUND, TITLES)
    assert f"**+0.010** (Model A). The paper's claim: *{FAILS}* for Model A; *{OPEN}*" in words


def test_one_verdict_of_all_models_is_said_once():
    assert answers.in_short(1, {"a": FOUND["a"]}, TITLES).endswith(f"The paper's claim: *{HOLDS}* for all models.")


def test_all_verdicts_are_counted():
    words = answers.tally(FOUND)
    assert words == f"Of 4 verdicts, one for each claim and model, 1 *{HOLDS}*, 1 *{FAILS}*, 2 *{OPEN}*."


@pytest.mark.parametrize("claim", PHRASES["measures"])
def test_the_home_page_asks_of_claims_that_there_are(claim):
    assert int(claim) in CLAIMS


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
    assert "from 1.00 to **1.00**" in words and "0 of 2 languages" in words
    assert "in English and Swahili harmless ones are refused at least half as often" in words


def test_the_judge_is_answered_for_by_its_errors_or_as_not_validated(monkeypatch):
    validation = labelled(("en", REFUSAL, REFUSAL, REFUSAL, 30), ("en", ANSWER, ANSWER, ANSWER, 60))
    monkeypatch.setattr(answers, "load_validation", lambda: validation)
    assert "precision of **1.00**" in answers.judge() and "90 completions" in answers.judge()
    monkeypatch.setattr(answers, "load_validation", lambda: None)
    assert "has not been validated" in answers.judge()

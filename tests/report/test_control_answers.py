import re

from tests.questions.control.test_judge import table as labelled
from xlv.questions.control import scores
from xlv.report import control_answers as answers
from xlv.report.formats import signed
from xlv.results import ANSWER, REFUSAL, REFUSING


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

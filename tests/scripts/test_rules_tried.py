"""What the page on claims shows of the simulation and of the old rules."""

import json

from scripts import rules_tried as tried
from tests.report.judged import ledger
from xlv.questions.claims.verdicts import FAILS, HOLDS

USUAL = {"wanted": "", "wrong": [], "runs": 400, HOLDS: 0.01, FAILS: 0.08, "not asked": 0.0, "half_width": 0.05}
TRIALS = [
    USUAL | {"pairs": 128, "claim": "1a", "case": "accuracy 0.60", "wrong": [HOLDS, FAILS]},
    USUAL | {"pairs": 64, "claim": "1a", "case": "accuracy 0.60", "wrong": [HOLDS]},
    USUAL | {"pairs": 128, "claim": "1a", "case": "accuracy 0.66", "wanted": HOLDS, HOLDS: 0.805},
]
COVERED = {"coverage, one language": 0.95, "error over spread, one language": 1.02, "coverage, mean": 0.94}
SIMULATED = [*TRIALS, {"pairs": 128, "accuracy": 0.998, "runs": 400, **COVERED, "error over spread, mean": None}]


def row(model: str, cohort: str, claim: int, **more) -> dict:
    usual = {"model": model, "cohort": cohort, "claim": claim, "says": "Encoded.", "verdict": "cannot be told"}
    return usual | {"value": 12.0, "low": 9.0, "high": None} | more


OLD = [row("a", "first", 1, high=13.0), row("a", "second", 1, verdict=HOLDS), row("b", "first", 8, value=None)]


def test_the_worse_direction_counts_as_wrong_and_sizes_stand_side_by_side():
    table = tried.percent(tried.limits(SIMULATED))
    assert table.to_numpy().tolist() == [["1a", "accuracy 0.60", "8.0 %", "1.0 %"]]
    assert list(table)[2:] == ["128 pairs", "64 pairs"]
    assert tried.percent(tried.power(SIMULATED)).to_numpy().tolist() == [["1a", "accuracy 0.66: holds", "80.5 %"]]


def test_trials_of_claim_8_have_the_worst_of_all_rates_by_instructions_and_languages():
    about = {"claim": "8a", "case": "as both", "prompts": 80, "languages": 11, "wanted": "", "wrong": ["holds"]}
    table = tried.percent(tried.limits([about | {"holds": 0.01}, about | {"holds": 0.03}]))
    assert table.to_numpy().tolist() == [["8a", "as both", "3.0 %"]] and list(table)[2:] == ["80 × 11"]


def test_the_trials_are_summed_up_with_the_worst_of_them():
    words = tried.outcome(SIMULATED)
    assert "In 1 of 2 trials" in words and "8.0 % (claim 1a, accuracy 0.60, 128 pairs)" in words
    assert "Of 1 effects that a rule should find, 1 were found" in words


def test_coverage_has_a_row_per_accuracy_and_a_dash_without_a_spread():
    table = tried.coverage(SIMULATED)
    assert table.to_numpy().tolist() == [[128, "0.998", "0.95", "1.02", "0.94", "–"]]


def test_families_are_claims_on_models_and_one_in_twenty_errs():
    words = tried.families(ledger())  # 1a, 3, 5 of one model, 1a of the other, claim 2, and two parts of claim M
    assert "On this page 7 families" in words and "**0.4** of them" in words


def test_old_and_new_rules_stand_side_by_side_on_either_cohort():
    table = tried.before_and_after([*OLD, row("stranger", "first", 1)], ledger())
    assert table["claim"].tolist() == ["1", "8"] and table["model"].tolist() == ["Model A", "Model B"]
    first = table.iloc[0]
    assert first["old rule, first cohort"] == "cannot be told (12; 9 to 13)"
    assert first["old rule, second cohort"] == "holds (12; 9 to –)"
    assert (
        first["new rules, first cohort"] == "–"
        and first["new rules, second cohort"].replace("\N{NO-BREAK SPACE}", " ") == "1a: 1 ✓ 1 ✗"
    )
    assert table.iloc[1, 3:].tolist() == ["cannot be told", "–", "–", "–"]
    assert len(tried.before_and_after([row("stranger", "first", 1)], ledger())) == 0


def test_what_is_missing_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.setattr(tried, "RESULTS", tmp_path)
    assert "is not in this checkout" in tried.outcome(tried.simulated())
    assert "this checkout lacks" in tried.replaced(tried.old_rules())
    assert all(len(make([])) == 0 for make in (tried.limits, tried.power, tried.coverage))
    (tmp_path / "old_rules.json").write_text(json.dumps({"commit": "f363d17", "rows": OLD}), encoding="utf-8")
    words = tried.replaced(tried.old_rules())
    assert "`f363d17`" in words and "**2 of 2** of their verdicts" in words and "0 of 1 on the second" in words


def test_the_commits_of_the_rules_are_named():
    assert f"`{tried.COMMIT}`" in tried.committed() and f"`{tried.OF_REFUSALS}`" in tried.committed()

"""Findings from results as they are stored, and what the cohorts of situations come to."""

import numpy as np
import pandas as pd
import pytest

from tests.questions.conftest import made
from xlv.questions.claims import table as claims
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED


def row(cohort: str, verdict: str, value: float = 0.0, **more) -> dict:
    return {
        "claim": "1a",
        "model": "m",
        "concept": "c",
        "part": "",
        "cohort": cohort,
        "verdict": verdict,
        "value": value,
    } | more


@pytest.mark.parametrize(
    ("second", "pooled", "status", "verdict", "cohort"),
    [
        (HOLDS, HOLDS, "confirmed", HOLDS, "second"),
        (FAILS, HOLDS, "confirmed", FAILS, "second"),
        (UNDECIDED, HOLDS, "supported", HOLDS, "all"),
        (NOT_ASKED, FAILS, "supported", FAILS, "all"),
        (UNDECIDED, UNDECIDED, "undecided", UNDECIDED, "all"),
        (UNDECIDED, NOT_ASKED, "undecided", UNDECIDED, "second"),
        (NOT_ASKED, NOT_ASKED, "not asked", NOT_ASKED, "second"),
    ],
)
def test_what_the_second_cohort_decides_is_confirmed_and_what_only_both_do_supported(
    second, pooled, status, verdict, cohort
):
    rows = [row("first", HOLDS, 1.0), row("second", second, 2.0), row("all", pooled, 3.0)]
    found = claims.verdicts(pd.DataFrame(rows))
    assert len(found) == 1
    assert found.loc[0, ["status", "verdict", "cohort"]].tolist() == [status, verdict, cohort]
    assert found.loc[0, "value"] == {"second": 2.0, "all": 3.0}[cohort]


def test_the_first_cohort_decides_nothing_by_itself():
    found = claims.verdicts(pd.DataFrame([row("first", HOLDS), row("second", UNDECIDED), row("all", UNDECIDED)]))
    assert found.loc[0, "status"] == UNDECIDED


def test_the_count_keeps_confirmed_and_supported_apart():
    rows = [row("second", HOLDS), row("second", FAILS, concept="d"), row("all", HOLDS, concept="e")]
    rows += [row("second", UNDECIDED, concept="e"), row("all", NOT_ASKED, concept="f")]
    counts = claims.tally(claims.verdicts(pd.DataFrame(rows))).loc["1a"]
    assert counts.to_dict() == {
        "confirmed: holds": 1,
        "confirmed: does not hold": 1,
        "supported: holds": 1,
        "supported: does not hold": 0,
        "undecided": 0,
        "not asked": 1,
    }


LANGUAGES = ("en", "fr", "es", "zh", "ja")


def results(**about) -> dict:
    """Results of two cohorts of one model, as attributes say; the second cohort is that of the whole again."""
    found = made(LANGUAGES)
    recognition = found["recognition"]
    shape = recognition["surface"].sizes
    surface = np.full((1, *shape.values()), 1.0)
    surface[..., ::2] = 0.0
    recognition["cohort_surface"] = ("cohort", "concept", "surface_kind", "source", "pair"), surface
    more = {"cohort": "second", "corpus": "c", "parameters": 1.0} | about
    return {question: dataset.assign_attrs(more) for question, dataset in found.items()}


def test_evidence_is_what_is_stored():
    found = results()
    recognition, consistency = found["recognition"], found["consistency"]
    known = claims.evidence({"m": recognition}, {"m": consistency}, "second")["m"]
    assert set(known) == {"morality", "fairness"}  # tense is no value
    e = known["fairness"]
    here = {"cohort": "all", "concept": "fairness"}
    np.testing.assert_array_equal(e.accuracy.value, recognition["cohort_accuracy"].sel(here))
    assert e.accuracy.replicates.shape == (6, 5, 5)  # as many blocks as situations
    assert e.accuracy.excess.shape[1:] == (5, 5) and e.surface.value.shape == (2, 5)
    np.testing.assert_allclose(e.surface.value, 0.5)
    np.testing.assert_array_equal(e.moments.products[1].value, consistency["moment"].sel(here).isel(half=1))
    assert e.european.tolist() == [True, True, True, False, False] and e.dominant.tolist() == [True] + 4 * [False]
    assert claims.evidence({"m": recognition}, {"m": consistency}, "first") == {}


def test_findings_are_those_of_each_model_and_of_pairs_of_models(monkeypatch):
    monkeypatch.setattr(claims.rules, "SITUATIONS", 4)
    small = results(preset="qwen2.5-coder-0.5b", parameters=0.5e9)
    large = results(preset="qwen2.5-coder-1.5b", parameters=1.5e9)
    english = results(preset="smollm2-135m", parameters=0.1e9)
    elsewhere = results(preset="gemma-3-270m", corpus="another")
    models = {"small": small, "large": large, "english": english, "elsewhere": elsewhere}
    parts = ({m: r[q] for m, r in models.items()} for q in ("recognition", "consistency"))
    found = claims.findings(*parts)
    assert set(found["cohort"]) == {"second"} and set(found["claim"]) == set(claims.rules.CLAIMS) - set(
        claims.rules.OF_CONTROL
    )
    second = found[found["claim"] == "2"]
    assert set(second["model"]) == {"large"} and set(second["part"]) == {"small"} and len(second) == 2
    assert np.allclose(second["value"], 0)  # the same states
    compared = found[found["claim"] == "M"]
    assert set(compared["model"]) == {"small", "large"}  # each minus the English one; other pairs are not compared
    assert len(compared) == 2 * 2 * 3 and all(part.endswith("minus english") for part in compared["part"])
    assert len(claims.findings({}, {})) == 0

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.control.measured import SETTINGS
from xlv.questions.control import scores
from xlv.questions.control.scores import auroc, detection, prompt_weights
from xlv.schema import ADDITION, BASELINE, DIRECTIONS, FOLLOWING, HARMFUL, OWN, RANDOM, REFUSING


def test_auroc_is_that_of_scikit_learn_and_invariant_to_the_threshold():
    generator = np.random.default_rng(0)
    harmful, harmless = generator.normal(1, 1, 30).round(1), generator.normal(0, 1, 30).round(1)  # with ties
    found = auroc(harmful, harmless, prompt_weights(30))
    assert found[0] == pytest.approx(roc_auc_score([1] * 30 + [0] * 30, [*harmful, *harmless]))
    assert auroc(harmful + 7, harmless + 7, prompt_weights(30)) == pytest.approx(found)
    assert np.quantile(found[1:], 0.025) < found[0] < np.quantile(found[1:], 0.975)


def test_detection_is_finite_at_the_extremes_and_symmetric():
    d, c = detection(np.array([1.0, 0.5, 0.9]), np.array([0.0, 0.5, 0.9]), 40)
    assert np.isfinite(d).all() and d[0] > 4 and c[0] == pytest.approx(0)
    assert d[1] == c[1] == pytest.approx(0)
    assert d[2] == pytest.approx(0) and c[2] < -1  # refuses much, tells nothing apart


def test_conditions_are_selected_by_what_was_done(found):
    names = scores.select(
        found["chat"], method=ADDITION, direction=REFUSING, source=["en", "fr"], concept="harmfulness"
    )
    assert names == [REFUSING, f"French vector ({REFUSING})"]
    assert scores.select(found["chat"], source=OWN) == [f"own vector ({direction})" for direction in DIRECTIONS]
    assert scores.select(found["chat"], method=RANDOM, direction=FOLLOWING, source="fr") == []
    assert len(scores.select(found["chat"])) == found["chat"].sizes["condition"]


def test_scores_compare_on_the_prompts_that_both_have(found):
    dataset = found["base"]
    name = f"random 1 ({REFUSING})"
    shift = scores.score_table(dataset).loc[name, "sw"]
    known = dataset["score"].sel(kind=HARMFUL, target="sw").values[:, : SETTINGS.compare.prompts]
    names = [str(n) for n in dataset["condition"].values]
    assert shift == pytest.approx((known[names.index(name)] - known[names.index(BASELINE)]).mean(), abs=1e-5)
    auroc = scores.auroc_table(dataset).set_index(["condition", "target"])
    assert auroc.loc[(name, "sw"), "prompts"] == SETTINGS.compare.prompts
    assert auroc.loc[(BASELINE, "sw"), ["change", "change_low", "change_high"]].eq(0).all()
    assert (auroc["low"] <= auroc["auroc"] + 1e-9).all() and (auroc["auroc"] <= auroc["high"] + 1e-9).all()


def test_sources_stand_beside_each_other(found):
    table = scores.sources_table(found["chat"])
    assert list(table.columns) == ["en", "sw"] and table.notna().all(axis=None)
    for direction in DIRECTIONS:
        assert list(table.loc[direction].index) == ["en", "fr"]
        shifts = scores.score_table(found["chat"]).loc[[direction, f"French vector ({direction})"]]
        np.testing.assert_array_equal(table.loc[direction], shifts)


def test_random_vectors_are_beaten_by_all_or_there_are_none(found):
    dataset = found["chat"].copy(deep=True)
    random = scores.select(dataset, method=RANDOM, direction=REFUSING)
    base = dataset["score"].sel(condition=BASELINE)
    dataset["score"].loc[{"condition": random}] = base
    dataset["score"].loc[{"condition": REFUSING, "target": "en"}] = base.sel(target="en") + 1
    dataset["score"].loc[{"condition": REFUSING, "target": "sw"}] = base.sel(target="sw") - 1
    assert scores.beats_random(dataset, REFUSING) == (["en"], 2)
    assert scores.beats_random(dataset.drop_sel(condition=random), REFUSING) == ([], 0)


def test_doses_are_signed_by_their_effect_and_no_dose_shifts_nothing(found):
    table = scores.response_table(found["base"])
    doses = SETTINGS.compare.doses
    assert sorted(table["dose"].unique()) == sorted([*doses, 0.0, *(-dose for dose in doses)])
    assert (table.loc[table["dose"] == 0, "shift"] == 0).all() and table["shift"].notna().all()
    measured, base = found["base"]["response_score"], found["base"]["score"]
    place = {"kind": HARMFUL, "target": "sw"}
    wanted = measured.sel(towards=FOLLOWING, response_dose=0.3, **place).values
    wanted = (wanted - base.sel(condition=BASELINE, **place).values[: len(wanted)]).mean()
    here = (table["dose"] == -0.3) & (table["kind"] == HARMFUL) & (table["target"] == "sw")
    assert table.loc[here, "shift"].item() == pytest.approx(wanted, abs=1e-5)


def test_side_effects_are_per_token_and_nothing_without_control(found):
    table = scores.side_effects_table(found["chat"]).set_index(["condition", "language"])
    assert table.loc[BASELINE, "divergence"].to_numpy() == pytest.approx(0, abs=1e-5)
    assert (table["perplexity"] > 1).all() and (table.loc[REFUSING, "divergence"] > 0).all()


def test_the_search_is_shown_of_the_main_source(found):
    table, dataset = scores.surface_table(found["chat"]), found["chat"].sel(searched="en")
    assert len(table) == dataset["search_score"].size and list(table) == ["towards", "window", "dose", "shift"]
    assert table["shift"].iloc[0] == pytest.approx(float(dataset["search_score"][0, 0, 0] - dataset["search_baseline"]))

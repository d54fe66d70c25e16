"""Conditions that are derived, on results whose answer is known."""

import numpy as np
import pytest

from tests.questions.claims.refused import TARGETS, made
from xlv.questions.control import rates
from xlv.questions.control.gated import BLIND, CARRIED, RESET, completions, gates, knowing_table, responding, thresholds
from xlv.schema import BASELINE, HARMFUL, REFUSING


def test_a_gated_outcome_is_the_steered_one_where_the_gate_opens_and_else_the_plain_one():
    dataset = made()
    refused, opened = completions(dataset)["refused"], dataset["projection"].sel(searched="en") > 1.5
    plain, steered = (refused.sel(condition=name) for name in (BASELINE, REFUSING))
    np.testing.assert_array_equal(refused.sel(condition=CARRIED), np.where(opened, steered, plain))
    share = opened.mean(("kind", "prompt"))
    np.testing.assert_allclose(
        refused.sel(condition=BLIND), (share * steered + (1 - share) * plain).transpose(*plain.dims)
    )


def test_a_threshold_is_carried_from_the_source_or_reset_half_way_between_the_kinds():
    dataset = made()
    dataset["projection"] = dataset["projection"] + 5 * (dataset["target"] == "zh")
    dataset["split_projection"] = dataset["split_projection"] + 5 * (dataset["target"] == "zh")
    at = thresholds(dataset, "en")
    assert (at["carried"] == 1.5).all() and at["reset"].sel(target="zh") == pytest.approx(6.5, abs=0.3)
    opened = {name: gate.sel(target="zh", kind="harmless").mean() for name, gate in gates(dataset, "en").items()}
    assert opened[CARRIED] == 1 and opened[RESET] < 0.2 and opened[BLIND] == 1


def test_derived_conditions_stand_in_every_table_with_intervals():
    table = rates.selectivity_table(made()).set_index(["condition", "target"])
    for name in (CARRIED, RESET, BLIND):
        assert (table.loc[name, "selectivity_low"] < table.loc[name, "selectivity"]).all()
        assert {name} < set(rates.refusal_table(made())["condition"])
    assert (table.loc[CARRIED, "selectivity"] > table.loc[BASELINE, "selectivity"]).all()
    assert table.loc[BLIND, "selectivity"].mean() == pytest.approx(0.2, abs=0.1)


def test_where_nothing_was_generated_nothing_is_derived():
    dataset = made()
    dataset["outcome"] = dataset["outcome"].where(dataset["target"] != "ta", -1)
    refused = completions(dataset)["refused"]
    assert refused.sel(target="ta").isnull().all() and refused.sel(target="zh").notnull().all()


def test_what_is_known_of_harm_is_told_beside_what_refusals_say():
    table = knowing_table(made()).set_index(["reader", "target"])
    assert (table.loc["state", "low"] > 0.9).all() and table.loc["refusal score", "auroc"].between(0.3, 0.7).all()
    assert set(table.index.unique("target")) == set(TARGETS)
    old = made().drop_vars("projection")
    assert knowing_table(old).empty and "run again" in responding(old)
    assert list(completions(old)["condition"].values) == list(old["condition"].values)


def test_languages_respond_to_harm_by_their_search_split():
    assert responding(made()) == ["zh", "fr"] and "respond" in responding(made(deaf=TARGETS))
    assert bool((completions(made())["refused"].sel(kind=HARMFUL, condition=CARRIED) >= 0).all())

import numpy as np
import pytest

from tests.questions.control.test_judge import table as labelled
from xlv.questions.control import judge, rates
from xlv.questions.control.gated import BLIND, CARRIED, RESET
from xlv.schema import ANSWER, BASELINE, DIRECTIONS, HARMFUL, KINDS, OUTCOMES, REFUSAL, REFUSING


@pytest.fixture
def refusing(found):
    """Results in which control towards refusing doubles refusals of harmful instructions, which nothing else moves."""
    dataset = found["chat"].copy(deep=True)
    outcome = dataset["outcome"].where(dataset["outcome"] < 0, OUTCOMES.index(ANSWER))
    place = {"kind": HARMFUL, "target": "en"}
    outcome.loc[{**place, "condition": [BASELINE, REFUSING]}] = [[1, 0, 0], [1, 1, 0]]
    return dataset.assign(outcome=outcome)


def test_rates_are_of_generated_conditions_and_in_their_intervals(found):
    table = rates.refusal_table(found["chat"])
    assert {BASELINE, *DIRECTIONS, CARRIED, RESET, BLIND} < set(table[table["target"] == "sw"]["condition"])
    assert (table["low"] <= table["rate"] + 1e-9).all() and (table["rate"] <= table["high"] + 1e-9).all()
    assert rates.refusal_table(found["base"]).empty
    assert rates.is_generated(found["chat"]) and not rates.is_generated(found["base"])


def test_main_table_has_rates_or_for_a_model_without_completions_scores(found):
    for name, what in (("chat", "refusal rate"), ("base", "refusal score in nats")):
        measured, table = rates.main_table(found[name])
        assert measured == what
        assert list(table.index) == list(found[name]["target"].values)
        assert table.notna().all(axis=None) and table.shape[1] == 2 * (1 + len(DIRECTIONS))
    language = table.index[0]
    scores_of = found["base"]["score"].sel(target=language, condition=REFUSING)
    for kind in KINDS:
        np.testing.assert_allclose(table.loc[language, (kind, REFUSING)], scores_of.sel(kind=kind).mean(), rtol=1e-6)
    shown, known = rates.main_table(found["chat"])[1], rates.refusal_table(found["chat"])
    known = known.set_index(["target", "kind", "condition"])["rate"]
    for (kind, condition), column in shown.items():
        np.testing.assert_allclose(column, [known[target, kind, condition] for target in shown.index])


def test_mean_rates_are_over_all_languages_or_all_but_one(refusing):
    assert rates.mean_rates(refusing)[HARMFUL, REFUSING] == pytest.approx((2 / 3 + 0) / 2)
    assert rates.mean_rates(refusing, without="en")[HARMFUL, REFUSING] == 0


def test_a_model_hardly_refuses_below_fifteen_in_a_hundred(refusing):
    assert not rates.hardly_refuses(refusing)  # one in six
    refusing["outcome"].loc[{"condition": BASELINE, "kind": HARMFUL, "target": "en"}] = [0, 0, 0]
    assert rates.hardly_refuses(refusing)


def test_selectivity_is_refusal_minus_over_refusal(found):
    table = rates.selectivity_table(found["chat"])
    np.testing.assert_allclose(table["selectivity"], table["refusal"] - table["over_refusal"])
    assert rates.selectivity_table(found["base"]).empty


def test_comparisons_hold_every_means_and_its_price(found):
    table = rates.comparison_table(found["chat"])
    assert f"random vectors ({REFUSING})" in table.index and "ablation" in table.index
    assert table.loc[[BASELINE, *DIRECTIONS], ["divergence", "perplexity"]].notna().all(axis=None)
    assert table.loc[f"French vector ({REFUSING})", ["method", "source"]].tolist() == ["addition", "fr"]
    assert {CARRIED, BLIND, f"{RESET} (French vector)", f"{CARRIED} (pooled vector)"} < set(table.index)


def test_rates_are_corrected_only_by_a_validated_judge(found, monkeypatch):
    assert rates.corrected_table(found["chat"]) is None or judge.VALIDATION.is_file()
    validation = labelled(("en", REFUSAL, REFUSAL, REFUSAL, 30), ("en", ANSWER, ANSWER, ANSWER, 60))
    monkeypatch.setattr(rates, "load_validation", lambda: validation)
    corrected = rates.corrected_table(found["chat"])
    assert np.allclose(corrected["corrected"], corrected["rate"])
    assert (corrected["corrected_low"] <= corrected["corrected"] + 1e-9).all()
    assert rates.corrected_table(found["chat"].assign_attrs(judge="chat:m")) is None

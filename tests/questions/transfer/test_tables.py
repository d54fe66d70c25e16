"""Tables of question 3 hold the numbers of the stored arrays."""

import numpy as np
import pytest

from xlv.questions.common import value_accuracy
from xlv.questions.transfer import tables
from xlv.questions.transfer.one_way import additive, dominant_contrast, one_way, permutation_p
from xlv.statistics.resampling import interval_about

RANKS = np.arange(5)
VALUES = ["morality", "fairness"]


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_transfer_is_accuracy_less_the_target_s_own(recognition, protocol):
    accuracy = recognition["accuracy"].sel(protocol=protocol, concept=VALUES).mean("concept").values
    np.testing.assert_allclose(tables.transfer_matrix(recognition, protocol), accuracy - np.diagonal(accuracy))
    one = recognition["accuracy"].sel(protocol=protocol, concept="tense").values
    np.testing.assert_allclose(tables.transfer_matrix(recognition, protocol, "tense"), one - np.diagonal(one))
    stacked = tables.transfer_by_concept(recognition, protocol)
    assert list(dict.fromkeys(stacked.index.get_level_values(0))) == VALUES
    np.testing.assert_allclose(
        (stacked.loc["morality"] + stacked.loc["fairness"]) / 2, accuracy - np.diagonal(accuracy)
    )


def test_languages_stand_in_the_order_of_resources(recognition):
    nats = recognition["neutral_nats"][::-1].assign_coords(source=recognition["source"])
    turned = recognition.assign(neutral_nats=nats)
    found = tables.transfer_matrix(turned)
    assert list(found.index) == list(found.columns) == ["ja", "zh", "es", "fr", "en"]
    assert found.loc["en", "zh"] == tables.transfer_matrix(recognition).loc["en", "zh"]
    assert list(tables.additive_table(turned).index) == ["ja", "zh", "es", "fr", "en"]


def test_the_summary_is_one_way_transfer_with_intervals_of_the_stored_resamples(recognition):
    row, accuracy = tables.transfer_summary({"m": recognition}).loc["My model"], value_accuracy(recognition)
    found, drawn = one_way(accuracy.value, RANKS), one_way(accuracy.samples, RANKS)
    for name, part in (("U", "total"), ("U_A", "crossing"), ("U_D", "own")):
        assert row[name] == pytest.approx(getattr(found, part))
        expected = interval_about(getattr(found, part), getattr(drawn, part))
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(expected)
    assert row["U"] == pytest.approx(row["U_A"] + row["U_D"]) and row["p"] == permutation_p(accuracy.value, RANKS)
    off = ~np.eye(5, dtype=bool)
    assert row["cross_accuracy"] == pytest.approx(accuracy.value[off].mean())
    assert row["own_accuracy"] == pytest.approx(np.diagonal(accuracy.value).mean())
    assert row["mean_T"] == pytest.approx((accuracy.value - np.diagonal(accuracy.value))[off].mean())


def test_variants_leave_out_the_dominant_languages_and_look_at_margins(recognition):
    table, accuracy = tables.one_way_variants(recognition), value_accuracy(recognition).value
    whole, others = "all languages", "without dominant languages"
    assert list(table.index) == [whole, f"{whole}, on margins", others, f"{others}, on margins"]
    assert table.loc[whole, "U"] == pytest.approx(one_way(accuracy, RANKS).total)
    assert table.loc[others, "U"] == pytest.approx(one_way(accuracy[1:, 1:], RANKS[:4]).total)  # without English
    margins = recognition["margin"].sel(concept=VALUES).mean("concept").values
    assert table.loc[f"{whole}, on margins", "U_A"] == pytest.approx(one_way(margins, RANKS).crossing)
    assert table.loc[f"{others}, on margins", "p"] == permutation_p(margins[1:, 1:], RANKS[:4])
    assert table["U_low"].isna().tolist() == [False, True, False, True]


def test_with_two_languages_there_is_no_set_without_the_dominant_one(recognition):
    two = recognition.isel(source=[0, 3], target=[0, 3])
    assert list(tables.one_way_variants(two).index) == ["all languages", "all languages, on margins"]


def test_the_dominant_language_s_lead_has_an_interval(recognition):
    table, accuracy = tables.dominant_table({"m": recognition}), value_accuracy(recognition)
    assert list(table.index) == [("My model", "English")]
    row = table.iloc[0]
    assert row["contrast"] == pytest.approx(float(dominant_contrast(accuracy.value, 0)))
    expected = interval_about(row["contrast"], dominant_contrast(accuracy.samples, 0))
    assert (row["low"], row["high"]) == pytest.approx(expected)


def test_effects_of_sources_and_targets_are_those_of_the_additive_model(recognition):
    table, accuracy = tables.additive_table(recognition), value_accuracy(recognition)
    found = additive(accuracy.value)
    np.testing.assert_allclose(table["source"], found.source)
    np.testing.assert_allclose(table["target"], found.target)
    assert table.attrs["explained"] == found.explained
    drawn = np.stack([additive(row).target for row in accuracy.samples])
    np.testing.assert_allclose(table["target_high"], interval_about(found.target, drawn)[1])

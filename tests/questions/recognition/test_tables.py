"""Tables of question 1 hold the numbers of the stored arrays."""

import numpy as np
import pytest

from xlv.questions.common import value_accuracy
from xlv.questions.recognition import tables
from xlv.statistics.vectors import hits, own

VALUES = ["morality", "fairness"]


def own_by_hand(dataset, protocol="cv"):
    """Own accuracy `[concept, language]` of the values."""
    cells = dataset["accuracy"].sel(protocol=protocol, concept=VALUES).values
    return np.array([cells[:, i, i] for i in range(5)]).T


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_own_accuracy_is_the_diagonal_s_mean_over_values(recognition, protocol):
    table = tables.own_accuracy(recognition, protocol)
    np.testing.assert_allclose(table["accuracy"], own_by_hand(recognition, protocol).mean(axis=0))
    assert list(table.index) == ["en", "fr", "es", "zh", "ja"]
    assert (table["pairs"] == {"cv": 24, "paper": 6}[protocol]).all()  # 12 pairs or 3 of them, of two values
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()


def test_intervals_of_own_accuracy_are_those_of_the_jackknife(recognition):
    table, found = tables.own_accuracy(recognition), value_accuracy(recognition)
    error = found.of(lambda a: np.diagonal(a, axis1=-2, axis2=-1))
    np.testing.assert_allclose([table["low"], table["high"]], error.share_interval())


def test_baselines_of_own_accuracy_are_the_better_surface_and_upper_quantiles_of_the_nulls(recognition):
    table, values = tables.own_accuracy(recognition), recognition.sel(concept=VALUES)
    surface = hits(values["surface"].values).mean(axis=(0, 3))  # [kind, language]
    np.testing.assert_allclose(table["surface"], surface.max(axis=0))
    shuffled = own(values["shuffled"].mean("concept").transpose("source", "target", "shuffle").values)
    np.testing.assert_allclose(table["shuffled"], np.quantile(shuffled, 0.975, axis=1))
    np.testing.assert_allclose(table["random"], np.quantile(values["random"].mean("concept"), 0.975, axis=0))


def test_concepts_and_layers_stand_in_rows_and_columns(recognition):
    table = tables.concept_accuracy(recognition)
    assert list(table.index) == ["morality", "fairness", "tense"]
    assert table.loc["fairness", "es"] == pytest.approx(own_by_hand(recognition)[1, 2])
    layers = tables.layer_accuracy(recognition)
    assert list(layers.columns) == [1, 2, 3]
    by_layer = recognition["accuracy_by_layer"].sel(protocol="cv", concept="tense").values
    np.testing.assert_allclose(layers.loc["tense"], own(by_layer).mean(axis=0))
    mean = tables.layer_mean(recognition)
    np.testing.assert_allclose(mean["accuracy"], layers.loc[VALUES].mean())
    assert (mean["low"] <= mean["accuracy"]).all() and (mean["accuracy"] <= mean["high"]).all()


def test_protocols_differ_by_what_the_choice_on_test_pairs_adds(recognition):
    row = tables.protocol_table({"m": recognition}).loc["My model"]
    means = {protocol: own_by_hand(recognition, protocol).mean() for protocol in ("cv", "paper")}
    assert row["cv"] == pytest.approx(means["cv"]) and row["paper"] == pytest.approx(means["paper"])
    assert row["difference"] == pytest.approx(means["paper"] - means["cv"])


def test_what_knows_nothing_under_protocol_paper_stands_beside_it_where_it_was_measured(recognition):
    untrained = np.full((3, 5), np.nan)
    untrained[:, ::4] = [[0.6, 0.7], [0.8, 0.9], [0.1, 0.1]]
    measured = recognition.assign(untrained_paper=(("concept", "source"), untrained))
    without = recognition.drop_vars(["shuffled_paper", "random_paper"]).assign_attrs(title="Another")
    table = tables.protocol_table({"m": measured, "n": without})
    values = recognition.sel(concept=VALUES)
    shuffled = own(values["shuffled_paper"].mean(("concept", "shuffle")).values)
    assert table.loc["My model", "shuffled, paper"] == pytest.approx(shuffled.mean())
    assert table.loc["My model", "random, paper"] == pytest.approx(float(values["random_paper"].mean()))
    assert table.loc["My model", "untrained, paper"] == pytest.approx(0.75)
    assert table.loc["Another"].isna().sum() == 3
    assert list(tables.protocol_table({"n": without}).columns) == ["cv", "paper", "difference"]


def test_outliers_stand_by_model_and_language(recognition):
    shares = np.zeros((3, 5))
    shares[:, 1] = [0.1, 0.3, 0.9]  # the last is no value
    measured = recognition.assign(outliers=(("concept", "source"), shares))
    table = tables.outlier_table({"m": measured})
    np.testing.assert_allclose(table.loc["My model", ["en", "fr", "es", "zh", "ja"]], [0.0, 0.2, 0.0, 0.0, 0.0])


def test_each_baseline_is_its_mean_over_values_and_languages(recognition):
    table, values = tables.baseline_table(recognition), recognition.sel(concept=VALUES)
    expected = {
        "concept vectors": own_by_hand(recognition).mean(),
        "concept vectors, protocol paper": own_by_hand(recognition, "paper").mean(),
        "token embeddings": values["embedded"].mean(),
        "likelihood": (values["likelihood"] > 0).mean(),
        "untrained model": values["untrained"].mean(),
        "random directions": values["random"].mean(),
    }
    for kind in recognition["surface_kind"].values:
        expected[f"surface {kind}"] = (values["surface"].sel(surface_kind=kind) > 0).mean()
    for name, value in expected.items():
        assert table.loc[name, "value"] == pytest.approx(float(value)), name
    assert set(table.index) == {*expected, "shuffled labels"}
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_baselines_that_were_not_measured_are_left_out(recognition):
    table = tables.baseline_table(recognition.drop_vars(["likelihood", "untrained"]))
    assert "token embeddings" in table.index
    assert "likelihood" not in table.index and "untrained model" not in table.index


def test_readers_are_the_own_vector_and_the_mean_of_the_others(recognition):
    table, correct = tables.readout_table(recognition), recognition["correct"].sel(protocol="cv", concept=VALUES)
    cells = correct.mean(("concept", "pair")).values
    assert table.loc[("pairs", "own"), "value"] == pytest.approx(np.diagonal(cells).mean())
    assert table.loc[("pairs", "other"), "value"] == pytest.approx(cells[~np.eye(5, dtype=bool)].mean())
    stored = recognition["readout"].sel(concept=VALUES).mean(("concept", "source", "pair"))
    for measure in ("auroc", "carried", "centred"):
        for reader in ("own", "other"):
            expected = float(stored.sel(measure=measure, reader=reader))
            assert table.loc[(measure, reader), "value"] == pytest.approx(expected)


def test_estimators_are_compared_with_diffmean(recognition):
    table = tables.estimator_table(recognition)
    stored = recognition["estimated"].sel(concept=VALUES).mean(("concept", "source", "pair"))
    for name in ("DiffMean", "whitened", "PCA", "logistic", "LDA"):
        assert table.loc[(name, "other"), "value"] == pytest.approx(float(stored.sel(estimator=name, reader="other")))


def test_the_learning_curve_ends_where_pairs_end(recognition):
    table = tables.learning_table(recognition)
    assert list(table.index) == [4, 8]  # of 12 pairs, 10 at most train a fold
    expected = recognition["curve"].sel(concept=VALUES).mean(("concept", "source", "pair"))
    np.testing.assert_allclose(table["accuracy"], expected[:2])


def test_on_the_diagonal_across_concepts_is_the_own_held_out_accuracy(recognition):
    table = tables.across_concepts(recognition)
    np.testing.assert_allclose(np.diagonal(table), tables.concept_accuracy(recognition).mean(axis=1))

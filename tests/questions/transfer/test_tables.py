"""Tables of question 3 hold the numbers of the stored arrays."""

import numpy as np
import pytest

from xlv.questions.common import value_accuracy
from xlv.questions.transfer import gradients, tables
from xlv.questions.transfer.one_way import additive, one_way
from xlv.statistics.jackknife import Replicated

RANKS = np.arange(5)
EUROPEAN = np.arange(5) < 3
VALUES = ["morality", "fairness"]


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_transfer_is_accuracy_less_the_target_s_own(recognition, protocol):
    accuracy = recognition["accuracy"].sel(protocol=protocol, concept=VALUES).mean("concept").values
    np.testing.assert_allclose(tables.transfer_matrix(recognition, protocol), accuracy - np.diagonal(accuracy))
    one = recognition["accuracy"].sel(protocol=protocol, concept="tense").values
    np.testing.assert_allclose(tables.transfer_matrix(recognition, protocol, "tense"), one - np.diagonal(one))


def test_languages_stand_in_the_order_of_resources(recognition):
    nats = recognition["neutral_nats"][::-1].assign_coords(source=recognition["source"])
    turned = recognition.assign(neutral_nats=nats)
    found = tables.transfer_matrix(turned)
    assert list(found.index) == list(found.columns) == ["ja", "zh", "es", "fr", "en"]
    assert found.loc["en", "zh"] == tables.transfer_matrix(recognition).loc["en", "zh"]
    assert list(tables.additive_table(turned).index) == ["ja", "zh", "es", "fr", "en"]


def test_the_summary_is_of_means_over_values_with_intervals_of_their_replicates(recognition):
    row, accuracy = tables.transfer_summary({"m": recognition}).loc["My model"], value_accuracy(recognition)
    for name, part in (("U", "total"), ("U_A", "crossing"), ("U_D", "own")):
        found = accuracy.of(lambda a, part=part: getattr(one_way(a, RANKS), part))
        assert row[name] == pytest.approx(found.value)
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(found.interval())
    assert row["U"] == pytest.approx(row["U_A"] + row["U_D"])
    assert row["p"] == gradients.triangle_p(accuracy.value, gradients.scaled(RANKS), EUROPEAN)
    off = ~np.eye(5, dtype=bool)
    assert row["cross_accuracy"] == pytest.approx(accuracy.value[off].mean())
    assert row["own_accuracy"] == pytest.approx(np.diagonal(accuracy.value).mean())


def accuracy_of(dataset, concept) -> Replicated:
    here = dataset.sel(cohort="all", concept=concept)
    known = here["replicate"].dropna("block", how="all").values
    return Replicated(here["cohort_accuracy"].values, known, here["surplus"].values)


def test_gradients_of_each_value_have_the_intervals_of_its_replicates(recognition):
    table = tables.gradient_table({"m": recognition}).loc["My model"]
    assert list(table.index) == VALUES
    coefficients = gradients.source_coefficients(gradients.scaled(RANKS))
    for concept in VALUES:
        row, accuracy = table.loc[concept], accuracy_of(recognition, concept)
        for name, c in (("source", coefficients), ("target", coefficients.T)):
            expected = accuracy.of(lambda a, c=c: (a * c).sum(axis=(-2, -1)))
            assert row[name] == pytest.approx(float(expected.value))
            np.testing.assert_allclose(row[[f"{name}_low", f"{name}_high"]].astype(float), expected.interval())
        crossing = accuracy.of(lambda a: one_way(a, RANKS).crossing)
        assert (row["U_A"], row["U_A_high"]) == pytest.approx((float(crossing.value), crossing.interval()[1]))
        assert row["U"] == pytest.approx(row["U_A"] + row["U_D"])
        assert row["p"] == gradients.gradient_p(accuracy.value, gradients.scaled(RANKS), EUROPEAN)
        assert row["margins"] == pytest.approx((recognition["margin"].sel(concept=concept) * coefficients).sum().item())
    two = recognition.isel(source=[0, 1], target=[0, 1])
    assert tables.gradient_table({"m": two}).empty


def test_gradients_under_published_orders_are_of_the_languages_that_have_a_share(recognition):
    table = tables.order_table(recognition)
    accuracy = accuracy_of(recognition, "fairness")
    names = ["measured competence", "without dominant languages", "shares of LLaMA 2", "shares of BLOOM"]
    assert [name for name in table if f"{name}_low" in table] == names
    codes = ["en", "fr", "es", "zh", "ja"]
    orders = [codes, codes[1:], ["en", "fr", "es", "zh", "ja"], ["en", "zh", "fr", "es"]]  # no Japanese in BLOOM
    for name, order in zip(names, orders, strict=True):
        kept = [codes.index(code) for code in order]
        inner = accuracy.of(lambda a, kept=kept: a[..., kept, :][..., kept])
        found = gradients.source_gradient(inner, np.arange(len(kept)))
        assert table.loc["fairness", name] == pytest.approx(float(found.value))
        assert table.loc["fairness", f"{name}_high"] == pytest.approx(float(found.interval()[1]))
    three = recognition.isel(source=slice(3), target=slice(3))
    assert tables.order_table(three).isna().any().tolist() == [False] * 3 + [True] * 3 + [False] * 6


def test_accuracy_by_origin_is_that_of_its_pairs_in_richer_and_poorer_languages(recognition):
    table = tables.origin_table({"m": recognition}).loc["My model"]
    assert list(table.index) == ["English", "Swahili", "Chinese"]
    correct = recognition["correct"].sel(protocol="cv", concept=VALUES).values
    own = np.diagonal(correct, axis1=1, axis2=2).swapaxes(1, 2)  # [concept, language, pair]
    other = (correct.sum(axis=1) - own) / 4
    for place, name in enumerate(table.index):
        here = np.arange(correct.shape[-1]) % 3 == place
        for reader, hits in (("own", own), ("other", other)):
            for group, some in (("richer", slice(0, 3)), ("poorer", slice(3, 5))):
                found = table.loc[name, f"{reader}, {group}"]
                assert found == pytest.approx(hits[:, some][..., here].mean())
                assert table.loc[name, f"{reader}, {group}_low"] <= found


def test_effects_of_sources_and_targets_are_those_of_the_additive_model(recognition):
    table, accuracy = tables.additive_table(recognition), value_accuracy(recognition)
    found = additive(accuracy.value)
    np.testing.assert_allclose(table["source"], found.source)
    np.testing.assert_allclose(table["target"], found.target)
    coefficients = gradients.source_coefficients(gradients.scaled(RANKS))
    rises = table.attrs["source gradient"], table.attrs["target gradient"]
    assert rises == pytest.approx(((accuracy.value * coefficients).sum(), (accuracy.value * coefficients.T).sum()))
    assert table.attrs["U_A"] == one_way(accuracy.value, RANKS).crossing
    np.testing.assert_allclose(table["target_high"], accuracy.of(lambda a: additive(a).target).interval()[1])

import numpy as np
import pytest

from xlv.questions import as_published as tables
from xlv.questions.consistency.tables import consistency_matrix


def test_accuracies_are_those_of_the_paper_s_protocol_over_values(recognition):
    table = tables.accuracy(recognition)
    paper = recognition["accuracy"].sel(protocol="paper", concept=["morality", "fairness"]).mean("concept")
    assert table.loc["en", "fr"] == pytest.approx(float(paper.sel(source="en", target="fr")))
    own = np.diagonal(table.to_numpy())
    np.testing.assert_allclose(tables.differences(recognition), table.to_numpy() - own)


def test_models_of_other_languages_share_a_table_with_their_means_below(recognition):
    few = recognition.sel(source=["en", "fr"], target=["en", "fr"]).assign_attrs(title="Few")
    table = tables.own_accuracy({"a": few, "b": recognition})
    assert list(table.columns) == ["Few", "My model"] and list(table.index)[-1] == "mean"
    assert np.isnan(table.loc["Spanish (es)", "Few"]) and table.loc["mean", "Few"] == table["Few"].iloc[:2].mean()


def test_a_summary_is_own_and_other_cells_apart_and_lacks_the_cosine_without_vectors(recognition, consistency):
    table, off = tables.accuracy(recognition).to_numpy(), ~np.eye(5, dtype=bool)
    row = tables.summary({"m": recognition}, {"m": consistency}).loc["My model"]
    assert row["own"] == pytest.approx(np.diagonal(table).mean()) and row["across"] == pytest.approx(table[off].mean())
    assert row["cosine"] == pytest.approx(consistency_matrix(consistency, plain=True).to_numpy()[off].mean())
    assert np.isnan(tables.summary({"m": recognition}, {}).loc["My model", "cosine"])

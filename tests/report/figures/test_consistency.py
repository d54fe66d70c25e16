import numpy as np
import pytest

from tests.questions.consistency.test_tables import planted
from xlv.questions.consistency import tables
from xlv.report.figures import consistency as figures


@pytest.fixture
def datasets():
    planted_ones = planted(), planted(("en", "fr"))
    first, second = (results["consistency"] for results in planted_ones)
    return {"a": first, "b": second.assign_attrs(title="Model B (Q4)")}


@pytest.mark.parametrize(
    "name", ["pooled_consistency", "consistency_map", "linguistic_correlation", "layer_profile", "language_tree"]
)
def test_a_figure_of_two_models_shows_both_and_brings_its_numbers(name, datasets):
    figure = getattr(figures, name)(datasets)
    assert figure.axes and "My model" in figure.numbers and "Model B (Q4)" in figure.numbers
    figure.draw_without_rendering()


def test_a_tree_says_what_it_rests_on(datasets):
    few = {"a": datasets["a"], "b": datasets["b"].isel(source=slice(6), target=slice(6))}
    titles = [panel.get_title() for panel in figures.language_tree(few).axes]
    assert titles == ["My model\npairwise consistency", "Model B\nplain cosine"]


def test_rho_and_the_number_of_readable_languages_stand_in_the_row_of_their_concept(datasets):
    first, second = figures.pooled_consistency(datasets).axes
    table = tables.consistency_table(datasets)
    drawn = next(line for line in first.lines if line.get_label() == "ρ")
    np.testing.assert_allclose(drawn.get_xdata(), table.loc["My model", "rho"])
    assert [text.get_text() for text in first.get_yticklabels()] == ["morality", "fairness"]
    assert [text.get_text() for text in second.texts] == ["12 of 12", "10 of 12"]


def test_cells_of_a_language_that_cannot_be_read_stay_empty(datasets):
    noisy = datasets["b"].sel(concept=["fairness"])
    panel, *_ = figures.consistency_map({"m": noisy}).axes
    assert panel.images[0].get_array().mask[0].all() and not panel.images[0].get_array().mask[2, 3]

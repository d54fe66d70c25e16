import numpy as np
import pytest

from xlv.questions.consistency import tables
from xlv.report.figures import consistency as figures


@pytest.fixture
def datasets(consistency):
    return {"a": consistency, "b": consistency.assign_attrs(title="Model B (Q4)")}


@pytest.mark.parametrize("name", ["consistency_map", "linguistic_correlation", "layer_profile", "language_tree"])
def test_a_figure_of_two_models_has_a_panel_for_each_and_brings_its_numbers(name, datasets):
    figure = getattr(figures, name)(datasets)
    assert len(figure.axes) >= 2 and "My model" in figure.numbers and "Model B (Q4)" in figure.numbers
    figure.draw_without_rendering()


def test_relationships_say_which_cosines_they_rest_on(datasets, consistency):
    kind = tables.pooled_consistency(consistency).attrs["kind"]
    for draw in (figures.linguistic_correlation, figures.language_tree):
        assert draw(datasets).axes[0].get_title() == f"My model\n{kind} cosines"


def test_coefficients_are_those_of_the_regression(datasets, recognition):
    found = tables.regression_tables(datasets, {"a": recognition, "b": recognition})
    first, _ = (figure := figures.regression(datasets, found)).axes
    drawn = next(line for line in first.lines if line.get_label() == "standardised coefficient")
    np.testing.assert_allclose(drawn.get_xdata(), found["My model"]["coefficient"].astype(float))
    assert len(first.texts) == len(found["My model"]) and "p_holm" in figure.numbers


def test_the_corrected_cosine_is_drawn_where_half_vectors_agree_only(consistency):
    labels = [line.get_label() for line in figures.layer_profile({"m": consistency}).axes[0].lines]
    assert "corrected cosine between languages" in labels
    noisy = consistency.assign(reliability_profile=consistency["reliability_profile"] * 0)
    assert "corrected cosine between languages" not in [
        line.get_label() for line in figures.layer_profile({"m": noisy}).axes[0].lines
    ]

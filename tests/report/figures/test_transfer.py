import numpy as np
import pytest

from xlv.questions.transfer import tables
from xlv.report.figures import transfer as figures


@pytest.fixture
def datasets(recognition):
    return {"a": recognition, "b": recognition.assign_attrs(title="Model B (Q4)")}


@pytest.mark.parametrize(
    "name", ["transfer_map", "transfer_by_concept", "one_way_transfer", "additive_effects", "competence_order"]
)
def test_a_figure_of_two_models_shows_both_and_brings_its_numbers(name, datasets):
    figure = getattr(figures, name)(datasets)
    assert figure.axes and "My model" in figure.numbers and "Model B (Q4)" in figure.numbers
    figure.draw_without_rendering()


def test_the_map_has_transferability_in_resource_order_and_no_numbers_on_the_diagonal(recognition):
    panel = figures.transfer_map({"m": recognition}).axes[0]
    table = tables.transfer_matrix(recognition)
    np.testing.assert_allclose(panel.images[0].get_array(), table)
    assert len(panel.texts) == table.size - len(table)


def test_one_way_transfer_is_that_of_the_table_and_a_set_that_is_missing_stays_empty(recognition):
    two = recognition.sel(source=["en", "fr"], target=["en", "fr"])
    whole, without = figures.one_way_transfer({"m": two}).axes
    assert whole.lines[0].get_xdata() == tables.one_way_variants(two).loc["all languages", "U"]
    assert np.isnan(without.lines[0].get_xdata()).all()


def test_effects_say_how_much_they_explain(recognition):
    (panel,) = figures.additive_effects({"m": recognition}).axes
    explained = tables.additive_table(recognition).attrs["explained"]
    assert panel.get_title() == f"My model\n{100 * explained:.0f} % of variance explained"


def test_effects_of_two_languages_are_unknown_and_drawn_all_the_same(recognition):
    two = recognition.sel(source=["en", "fr"], target=["en", "fr"])
    assert figures.additive_effects({"m": two}).axes


def test_without_neutral_sentences_the_order_says_that_it_was_not_measured(recognition):
    (panel,) = figures.competence_order({"m": recognition.drop_vars("neutral_nats")}).axes
    assert panel.get_title().startswith("not measured")


def test_published_results_stand_beside_ours_and_say_so(recognition):
    theirs = recognition[["accuracy"]].sel(protocol=["paper"]).assign_attrs(title="Theirs (published)")
    maps = figures.as_published({"ours": recognition, "theirs": theirs})
    assert [axes.get_title() for axes in maps.axes[:2]] == ["My model", "Theirs (published)"]
    assert "Theirs (published)" in maps.numbers

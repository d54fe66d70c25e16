import numpy as np
import pytest

from xlv.questions.transfer import tables
from xlv.report.figures import transfer as figures
from xlv.report.formats import signed


@pytest.fixture
def datasets(recognition):
    return {"a": recognition, "b": recognition.assign_attrs(title="Model B (Q4)")}


@pytest.mark.parametrize(
    "name", ["transfer_map", "transfer_by_concept", "additive_effects", "gradients", "competence_order"]
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


def test_effects_rise_by_the_gradients_from_the_least_to_the_most_resourced(recognition):
    (panel,) = figures.additive_effects({"m": recognition}).axes
    table = tables.additive_table(recognition)[::-1]
    assert [text.get_text() for text in panel.get_xticklabels()] == list(table.index)
    shown = {line.get_label(): line.get_ydata() for line in panel.lines}
    np.testing.assert_allclose(shown["as source"], table["source"])
    rises = [
        np.ptp(line.get_ydata()) for line in panel.lines if len(line.get_xdata()) == 5 and line.get_marker() == "None"
    ]
    assert rises == pytest.approx([abs(table.attrs["source gradient"]), abs(table.attrs["target gradient"])])
    assert f"U_A {signed(table.attrs['U_A'], 2)}" in panel.texts[0].get_text()


def test_gradients_under_all_orders_stand_in_the_row_of_their_concept(recognition):
    (panel,) = figures.gradients({"m": recognition}).axes
    table = tables.order_table(recognition)
    for line in panel.lines:
        if line.get_label() in table:
            np.testing.assert_allclose(line.get_xdata(), table[line.get_label()])
    assert [text.get_text() for text in panel.get_yticklabels()] == list(table.index)


def test_without_neutral_sentences_the_order_says_that_it_was_not_measured(recognition):
    (panel,) = figures.competence_order({"m": recognition.drop_vars("neutral_nats")}).axes
    assert panel.get_title().startswith("not measured")


def test_published_results_stand_beside_ours_and_say_so(recognition):
    theirs = recognition[["accuracy"]].sel(protocol=["paper"]).assign_attrs(title="Theirs (published)")
    maps = figures.as_published({"ours": recognition, "theirs": theirs})
    assert [axes.get_title() for axes in maps.axes[:2]] == ["My model", "Theirs (published)"]
    assert "Theirs (published)" in maps.numbers

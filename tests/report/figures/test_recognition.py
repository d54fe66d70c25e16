import numpy as np
import pytest

from xlv.questions.recognition import tables
from xlv.report.figures import recognition as figures


def shown(panel, label: str) -> np.ndarray:
    return next(line for line in panel.lines if line.get_label() == label).get_xdata()


@pytest.mark.parametrize(
    "name", "accuracy_by_concept accuracy_by_layer baselines readouts estimators learning_curve across_concepts".split()
)
def test_a_figure_of_two_models_has_a_panel_for_each_or_a_line_and_brings_its_numbers(name, recognition):
    other = recognition.assign_attrs(title="Model B (Q4)")
    figure = getattr(figures, name)({"a": recognition, "b": other})
    assert figure.axes and "My model" in figure.numbers and "Model B (Q4)" in figure.numbers
    figure.draw_without_rendering()


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_languages_stand_beside_their_accuracy_and_what_it_must_beat(recognition, protocol):
    figure = figures.accuracy_by_language({"m": recognition}, protocol)
    (panel,) = figure.axes
    table = tables.own_accuracy(recognition, protocol)
    np.testing.assert_allclose(shown(panel, "concept vector (95 % interval)"), table["accuracy"])
    np.testing.assert_allclose(shown(panel, "surface words or characters"), table["surface"])
    nothing = table[["shuffled", "random"]].max(axis=1)
    np.testing.assert_allclose(shown(panel, "shuffled labels or random directions, 97.5 %"), nothing)
    assert [text.get_text() for text in panel.get_yticklabels()][:2] == ["English (en)", "French (fr)"]


def test_own_and_other_readers_stand_beside_each_other(recognition):
    (panel,) = figures.readouts({"m": recognition}).axes
    table = tables.readout_table(recognition)["value"]
    for reader in ("own", "other"):
        np.testing.assert_allclose(shown(panel, f"{reader} language's vector"), table.xs(reader, level="vector"))
    assert [text.get_text() for text in panel.get_yticklabels()] == list(figures.READOUTS.values())


def test_a_model_without_some_baselines_leaves_their_rows_empty(recognition):
    few = recognition.drop_vars(["likelihood", "untrained"]).assign_attrs(title="Model B")
    first, second = figures.baselines({"a": few, "b": recognition}).axes
    names = [text.get_text() for text in first.get_yticklabels()]
    assert "untrained model" in names
    assert np.isnan(first.lines[1].get_xdata()[names.index("untrained model")])
    assert np.isfinite(second.lines[1].get_xdata()).all()

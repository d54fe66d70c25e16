from io import StringIO

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_matrix
from xlv.report.drawing import (
    csv_of,
    dots,
    heat_map,
    legend_below,
    matrices,
    model_panels,
    new_figure,
    one_panel,
    panels,
    use_style,
)


def test_labels_stand_at_the_outer_panels_only():
    _, axes = panels(5, 2.0, xlabel="across", ylabel="up")
    assert [panel.get_xlabel() for panel in axes] == ["", "", "across", "across", "across"]
    assert [panel.get_ylabel() for panel in axes] == ["up", "", "", "up", ""]


def test_the_legend_has_what_any_panel_draws_once():
    figure, axes = panels(2, 2.0)
    axes[0].plot([0], [0], label="both")
    axes[1].plot([0], [0], label="both")
    axes[1].plot([0], [0], label="one")
    legend_below(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["both", "one"]


def test_a_diagonal_that_says_nothing_has_no_numbers():
    axes = new_figure(2, 2).subplots()
    frame = pd.DataFrame([[0.0, 0.1], [0.2, 0.0]])
    heat_map(axes, frame, cmap="RdBu_r", low=-1, high=1, diagonal=False)
    assert [text.get_text() for text in axes.texts] == ["0.10", "0.20"]


def test_what_is_not_known_stays_grey_and_without_a_number():
    axes = new_figure(2, 2).subplots()
    mesh = heat_map(axes, pd.DataFrame([[np.nan, 0.1]]), cmap="RdBu_r", low=-1, high=1)
    assert [text.get_text() for text in axes.texts] == ["0.10"]
    assert mesh.cmap(np.ma.masked) == pytest.approx(mesh.cmap.get_bad())


def test_figures_are_drawn_with_text_as_text_and_the_same_bytes_each_time(tmp_path):
    use_style()
    for name in ("one", "two"):
        figure, (panel,) = panels(1, 2.0)
        panel.set_title("a title")
        figure.savefig(tmp_path / f"{name}.svg", metadata={"Date": None})
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert ">a title<" in (tmp_path / "one.svg").read_text(encoding="utf-8")


TABLE = pd.DataFrame({"value": [0.5, 0.7], "low": [0.4, 0.6], "high": [0.6, 0.8], "own": [1.0, 2.0]})


@pytest.fixture
def datasets(recognition):
    return {"a": recognition, "b": recognition.assign_attrs(title="Model B (Q4)")}


def plain_text(figure) -> str:
    return DisplayFormatter().format(figure)[0]["text/plain"]


def test_numbers_to_download_are_those_of_the_table(datasets):
    tables = [own_accuracy(dataset) for dataset in datasets.values()]
    frame = pd.read_csv(StringIO(csv_of(datasets, tables)))
    assert list(frame["model"].unique()) == ["My model", "Model B (Q4)"]
    np.testing.assert_allclose(frame["accuracy"], pd.concat(tables)["accuracy"], atol=1e-5)


def test_models_of_one_title_keep_their_numbers(recognition):
    frame = pd.read_csv(StringIO(csv_of({"a": recognition, "b": recognition}, [TABLE, TABLE])))
    assert len(frame) == 4


def test_a_figure_s_plain_text_is_its_numbers_if_it_has_any(datasets):
    figure, _ = model_panels(datasets, own_accuracy, 2.0)
    assert plain_text(figure) == figure.numbers and figure.numbers.startswith("model,language,accuracy")
    assert plain_text(new_figure(2, 2)).startswith("<NumberedFigure size 200x200")


@pytest.mark.parametrize("build", [model_panels, one_panel])
def test_what_is_drawn_is_what_is_offered(build, datasets):
    figure, *_, rows = build(datasets, own_accuracy, 2.0)
    assert figure.numbers == csv_of(datasets, [next(p for p in row if isinstance(p, pd.DataFrame)) for row in rows])


def test_panels_are_titled_and_as_high_as_the_longest_table(datasets):
    figure, rows = model_panels(datasets, own_accuracy, 0.5, each=0.25, at=0.5)
    assert [panel.get_title() for panel, *_ in rows] == ["My model", "Model B"]
    assert figure.get_figheight() == pytest.approx(0.5 + 5 * 0.25 + 0.55)
    assert [list(panel.lines[0].get_xdata()) for panel, *_ in rows] == [[0.5, 0.5]] * 2


def test_dots_have_their_intervals_and_a_column_its_own_if_there_are():
    _, (panel,) = panels(1, 2.0)
    dots(panel, TABLE, by=0.25)
    dots(panel, TABLE.assign(own_low=[0.0, 1.0], own_high=[3.0, 4.0]), "own")
    (first, second), (one, other) = panel.collections, panel.lines
    assert [list(ends[:, 0]) for ends in first.get_segments()] == [[0.4, 0.6], [0.6, 0.8]]
    assert [list(ends[:, 0]) for ends in second.get_segments()] == [[0.0, 3.0], [1.0, 4.0]]
    assert list(one.get_ydata()) == [0.25, 1.25] and list(other.get_xdata()) == [1.0, 2.0]


@pytest.mark.parametrize("reach", [0.1, 2.0])
def test_matrices_share_a_scale_that_is_even_about_zero(datasets, reach):
    look = {"cmap": "RdBu_r", "label": "T", "diagonal": False}
    figure, axes = matrices(datasets, transfer_matrix, reach=reach, **look)
    limit = max(reach, float(transfer_matrix(datasets["a"]).abs().max(axis=None)))
    assert {panel.images[0].get_clim() for panel in axes} == {(-limit, limit)}
    assert [panel.get_title() for panel in axes] == ["My model", "Model B"]
    assert figure.numbers.startswith("model,,en,fr")

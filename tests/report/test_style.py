import numpy as np
import pandas as pd
import pytest

from xlv.report.style import heat_map, legend_below, new_figure, panels, use_style


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

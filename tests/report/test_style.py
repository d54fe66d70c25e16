import numpy as np
import pandas as pd

from xlv.report.figures.control import _apart
from xlv.report.style import heat_map, legend_below, new_figure, panels


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


def test_points_that_lie_together_are_not_named():
    points = np.array([[0.0, 0.0], [0.0, 0.0], [0.01, 0.01], [0.5, 0.5], [0.5, 0.6]])
    assert list(_apart(points)) == [False, False, False, True, True]

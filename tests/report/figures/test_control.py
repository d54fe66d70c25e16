import numpy as np
import pytest

from xlv.questions.control import rates, scores
from xlv.report.figures import control as figures
from xlv.schema import HARMFUL, REFUSING

FIGURES = (figures.refusal_rates, figures.knowing, figures.selectivity, figures.score_shifts)


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("names", [(), ("chat",), ("base",), ("base", "chat")], ids="+".join)
def test_every_figure_can_be_drawn_of_any_models(found, draw, names):
    drawn = draw({name: found[name] for name in names})
    drawn.draw_without_rendering()
    assert drawn.axes or drawn.texts


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
def test_a_figure_brings_its_numbers(found, draw):
    assert "chat" in draw({"chat": found["chat"]}).numbers


def test_rates_are_those_of_the_table(found):
    harmful, _ = figures.refusal_rates({"m": found["chat"]}).axes
    table = rates.refusal_table(found["chat"])
    shown = table[(table["kind"] == HARMFUL) & (table["condition"] == REFUSING)]
    drawn = {line.get_label(): line.get_xdata() for line in harmful.lines}
    np.testing.assert_array_equal(drawn[REFUSING], shown["rate"])
    assert [text.get_text() for text in harmful.get_yticklabels()] == ["English (en)", "Swahili (sw)"]


def test_shifts_of_all_kinds_of_vectors_stand_in_the_row_of_their_language(found):
    (panel,) = figures.score_shifts({"m": found["chat"]}).axes
    drawn = {line.get_label(): line.get_xydata() for line in panel.lines}
    table = scores.score_table(found["chat"])
    np.testing.assert_array_equal(drawn[REFUSING][:, 0], table.loc[REFUSING])
    np.testing.assert_array_equal(drawn[f"own vector {REFUSING}"][:, 0], table.loc[f"own vector ({REFUSING})"])
    assert len(drawn["random vectors"]) == 4 * 2 and len(drawn["another concept's vector"]) == 2 * 2
    assert set(drawn["random vectors"][:, 1]) == {0, 1}


def test_selectivity_and_knowledge_of_harm_are_those_of_the_tables(found):
    (panel,) = figures.selectivity({"m": found["chat"]}).axes
    drawn = {line.get_label(): line.get_xdata() for line in panel.lines}
    table = rates.selectivity_table(found["chat"]).set_index("condition")["selectivity"]
    assert all(np.array_equal(drawn[name], table[name]) for name in figures.SELECTIVE)
    (panel,) = figures.knowing({"m": found["chat"]}).axes
    assert {"state", "refusal score"} < {line.get_label() for line in panel.lines}

import numpy as np
import pytest
import xarray as xr
from bs4 import BeautifulSoup

from tests.report.judged import ledger
from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.verdicts import NOT_ASKED
from xlv.report import home
from xlv.report.figures.home import geometry, plane, thumbnail
from xlv.report.ledger import KINDS


def dots(axes) -> list[tuple[float, str]]:
    marked = [line for line in axes.lines if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), line.get_color()) for line in marked if np.isfinite(line.get_xdata()).all()]


def states(gap: float = 4.0) -> xr.DataArray:
    """Two languages with different offsets whose sides differ along the first dimension only."""
    draw = np.random.default_rng(0).normal(size=(2, 2, 24, 5))
    draw[:, 0, :, 0] += gap
    draw[1] += 50
    coords = {"language": ["en", "es"], "side": ["positive", "negative"], "pair": np.arange(24)}
    return xr.DataArray(draw, coords, ("language", "side", "pair", "d_model"))


def test_the_first_axis_of_the_plane_separates_the_sides_in_both_languages():
    found = plane(states(), "en")
    gaps = (found.sel(side="positive") - found.sel(side="negative")).mean("pair")
    assert (gaps.isel(axis=0) > 1.5).all() and (abs(gaps.isel(axis=1)) < 0.5).all()
    assert np.allclose(found.mean(("side", "pair")), 0)
    assert np.allclose(found.sel(language="en").std(("side", "pair")), 1)


def test_the_picture_has_a_panel_per_language_its_points_and_an_arrow():
    figure = geometry(states(), ("en", "es"), pairs=10)
    assert [panel.get_title() for panel in figure.axes] == ["English", "Spanish"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [10, 10]
    assert all(len(panel.texts) == 1 for panel in figure.axes)


def test_a_thumbnail_has_a_dot_per_concept_in_the_colour_of_its_verdict():
    colours = [look[0] for look in KINDS.values()]
    panel = thumbnail(ledger(), "1a", 0.6, "accuracy").axes[0]
    expected = [(0.5, colours[0]), (0.9, colours[1]), (0.7, colours[2]), (0.8, colours[4])]
    assert dots(panel) == [*expected, (0.7, colours[4])]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["Model A", "Model B"]


def test_a_card_counts_the_verdicts_on_its_claim_and_gives_the_strongest_with_its_interval():
    assert home.answer(ledger(), "consistent").startswith("The languages' vectors point in clearly different")
    assert " in 2 of 4 cases" in home.answer(ledger(), "consistent")
    assert home.number(ledger(), "consistent").startswith("Largest in Model A, morality: ρ 0.90 (0.85 to 0.95)")


def test_cards_say_what_was_not_asked_and_what_is_undecided():
    unasked = ledger(control=[("a", "toxicity", "", "F4", NOT_ASKED, NOT_ASKED, float("nan"))])
    assert home.answer(unasked, "transferable").startswith("Not asked: nobody")
    assert "an earlier version" in home.answer(ledger(), "transferable") and home.number(ledger(), "transferable") == ""
    found = ledger().verdicts
    undecided = found[(found["claim"] == "3") & (found["concept"] == "deontology")]
    assert "Undecided in all 1 case" in home.answer(Ledger(ledger().titles, undecided, undecided), "consistent")


def test_four_cards_lead_to_the_four_questions_and_names_are_text():
    page = BeautifulSoup(home.cards(ledger()), "html.parser")
    links = [card["href"] for card in page.find_all("a", class_="xlv-card")]
    assert links == [f"{page}.html" for page in ("q1_recognition", "q2_consistency", "q3_transfer", "q4_control")]
    assert not page.find("i") and all(card.find("b").get_text().endswith("?") for card in page.find_all("a"))


@pytest.mark.parametrize("inside", [0.1, -0.1])
def test_the_sentence_on_the_triangle_follows_the_numbers(recognition, inside):
    n = recognition.sizes["source"]
    base = np.full((n, n), 0.7 - inside) + np.triu(np.full((n, n), inside), 1)
    moved = recognition.copy(deep=True)
    for name in ("accuracy", "cohort_accuracy", "replicate"):
        moved[name][:] = base
    moved["surplus"][:] = 0
    said = str(home.triangle({"m": moved}, ledger()))
    steeper = np.diagonal(base).mean() == pytest.approx(0.7 - inside) and inside > 0
    assert f"in **{int(steeper)} of 1 model**" in said

"""The cards of the home page: for each question one sentence, one number with its interval, one small figure."""

import io
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.table import CONFIRMED
from xlv.questions.claims.verdicts import ALIKE, FAILS, HOLDS, NOT_ASKED, READ
from xlv.questions.transfer.tables import triangle_table
from xlv.report.figures.home import thumbnail
from xlv.report.formats import Said, counted, say, short
from xlv.results import Results


class Card(NamedTuple):
    """A question's page, the claims that answer it, the first of which is drawn, and where its rule has a line."""

    page: str
    claims: tuple[str, ...]
    line: float


CARDS = {
    "encoded": Card("q1_recognition", ("1a", "1b"), READ),
    "consistent": Card("q2_consistency", ("3",), ALIKE),
    "transferable": Card("q3_transfer", ("F4", "F4'"), 0.0),
    "controllable": Card("q4_control", ("8c", "8b"), 0.0),
}


_CARD = Markup(
    '<a class="xlv-card" href="{page}.html"><b>{title}</b><span>{said}</span>'
    '<span role="img" aria-label="{alt}">{picture}</span><small>{told}</small></a>'
)


def counts(found: Ledger, claim: str) -> dict[str, object]:
    """How many verdicts on a claim there are: asked, holding, not holding, and of each how many are confirmed."""
    rows = found.verdicts[found.verdicts["claim"] == claim]
    asked, sure = rows[rows["status"] != NOT_ASKED], rows[rows["status"] == CONFIRMED]
    numbers = {
        "asked": len(asked),
        "holds": (asked["verdict"] == HOLDS).sum(),
        "fails": (asked["verdict"] == FAILS).sum(),
    }
    numbers |= {"sure": (sure["verdict"] == HOLDS).sum(), "sure_not": (sure["verdict"] == FAILS).sum()}
    return {name: int(number) for name, number in numbers.items()} | {"cases": counted(len(asked), "case")}


def strongest(found: Ledger, claim: str) -> pd.Series | None:
    """The verdict whose statistic lies farthest from 0 among those asked, of which the card gives the number."""
    rows = found.verdicts[(found.verdicts["claim"] == claim) & (found.verdicts["status"] != NOT_ASKED)]
    return rows.loc[rows["value"].abs().idxmax()] if rows["value"].notna().any() else None


def answer(found: Ledger, name: str) -> Said:
    """The sentence of a card, from the verdicts on its claims."""
    first, *others = (counts(found, claim) for claim in CARDS[name].claims)
    if not first["asked"]:
        rows = found.verdicts[found.verdicts["claim"] == CARDS[name].claims[0]]
        return say("cards", "unasked", why=rows["why"].mode()[0]) if len(rows) else say("cards", f"{name}_unasked")
    phrase = name if first["holds"] + first["fails"] else f"{name}_open"
    second = {f"{key}_2": number for other in others for key, number in other.items()}
    return say("cards", phrase, **first, **second)


def number(found: Ledger, name: str) -> Said:
    """The number of a card with its 95 % interval: of which model and concept."""
    row = strongest(found, CARDS[name].claims[0])
    if row is None:
        return Said("")
    about = {"title": short(found.titles[row["model"]]), "concept": row["concept"]}
    return say("cards", f"{name}_number", **about, value=row["value"], low=row["low95"], high=row["high95"])


def triangle(datasets: Results, found: Ledger, protocol: str = "cv") -> Said:
    """What the maps of transferability show: on which side of the triangle T lies above 0, and what is confirmed."""
    rows = triangle_table(datasets, protocol)
    if not len(rows):
        return say("few", "figure", languages=2)
    inside, steeper = rows["inside"], int((rows["inside"] > rows["outside"]).sum())
    numbers = {"models": counted(len(rows), "model"), "steeper": steeper, "low": inside.min(), "high": inside.max()}
    numbers |= {"gain": int((rows["inside_low"] > 0).sum()), "loss": int((rows["inside_high"] < 0).sum())}
    return say("home", "triangle", **numbers, **counts(found, "F4"))


def _drawn(found: Ledger, name: str) -> Markup:
    drawn, card = io.StringIO(), CARDS[name]
    figure = thumbnail(found, card.claims[0], card.line, say("cards", f"{name}_label"))
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return Markup(drawn.getvalue()[drawn.getvalue().index("<svg") :])


def cards(found: Ledger) -> Markup:
    """Four cards as HTML, each linked to its question."""
    parts = []
    for name, card in CARDS.items():
        said, told = (Markup(str(part)) for part in (answer(found, name), number(found, name)))
        title, alt = say("cards", f"{name}_title"), say("cards", f"{name}_alt")
        picture = _drawn(found, name) if told else ""
        parts.append(_CARD.format(page=card.page, title=title, said=said, told=told, alt=alt, picture=picture))
    return Markup('<div class="xlv-cards">{}</div>').format(Markup("").join(parts))

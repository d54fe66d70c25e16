"""The claims ledger as a reader sees it: maps of verdicts, tables behind them, and the figure of the home page."""

from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xlv.questions.claims.ledger import CLAIMS, OF_TWO, Ledger
from xlv.questions.claims.table import CONFIRMED, SUPPORTED
from xlv.questions.claims.verdicts import ALIKE, FAILS, HOLDS, LEVEL, NOT_ASKED, READ, UNDECIDED
from xlv.questions.control.rates import is_generated, refusal_table
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, CONDITION_COLOURS, DIGITS, FAINT, INK, MARKERS, ORANGE
from xlv.report.formats import p_value, plain, say, short, signed, told_apart, unbroken
from xlv.results import Results
from xlv.schema import HARMFUL

KINDS = {  # colour, sign and colour of the sign of each status and verdict, in the order of `claims.table.tally`
    f"{CONFIRMED}: {HOLDS}": (BLUE, "✓", "white"),
    f"{CONFIRMED}: {FAILS}": (ORANGE, "✗", "white"),
    f"{SUPPORTED}: {HOLDS}": ("#a9d3ec", "(✓)", INK),
    f"{SUPPORTED}: {FAILS}": ("#f7c9a5", "(✗)", INK),
    UNDECIDED: ("#dddddd", "?", INK),
    NOT_ASKED: ("#f6f6f6", "–", FAINT),
}
_TWO_DIGITS = ("1a", "3", "4a", "4b", "7", "8")  # claims on levels and cosines; the others' differences have three
_LEVELS = ("1a", "3", "8")  # whose numbers have no sign


def kind(row: Mapping[str, str]) -> str:
    """Status and verdict of a row of `Ledger.verdicts`, as a key of KINDS."""
    return row["status"] if row["status"] in (UNDECIDED, NOT_ASKED) else f"{row['status']}: {row['verdict']}"


def number(claim: str, value: float) -> str:
    """A claim's statistic as a reader sees it."""
    digits = 2 if claim in _TWO_DIGITS else 3
    return plain(value, digits) if claim in _LEVELS else signed(value, digits)


def names(found: Ledger) -> dict[str, str]:
    """Short titles by model."""
    return dict(zip(found.titles, told_apart(found.titles.values()), strict=True))


def _compared(found: Ledger, row: Mapping[str, str]) -> str:
    """What a verdict on two models compares: the statistic, if there are several, and both models."""
    called, (*statistic, other) = names(found), row["part"].rpartition(", minus ")[::2] if row["part"] else ("", "")
    said = f"{called[row['model']]} − {called[other]}".replace("\n", " ")
    return f"{statistic[0]}: {said}" if statistic[0] else said


def _cells(panel: Axes, frame: pd.DataFrame, rows: Sequence[str]) -> None:
    """A cell for each row and concept: colour and sign say what came out; NaN where nothing was asked."""
    for (row, column), cell in np.ndenumerate(frame.to_numpy()):
        if isinstance(cell, str):
            colour, sign, ink = KINDS[cell]
            panel.add_patch(Patch(fc=colour, ec="white", lw=1.5)) if False else panel.fill_between(
                [column - 0.47, column + 0.47], row - 0.46, row + 0.46, color=colour, lw=0
            )
            panel.text(column, row, sign, ha="center", va="center", fontsize=9, color=ink, weight="bold")

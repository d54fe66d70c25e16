"""One style for all figures and tables: vector output, and colours that the colour-blind distinguish."""

from pathlib import Path

import matplotlib.style
import pandas as pd
from IPython import get_ipython

from xlv.results import BASELINE, FOLLOWING, REFUSING

INK, FAINT = "#222222", "#8a8a8a"
MODEL_COLOURS = BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito
FAMILY_COLOURS = {
    "Indo-European": BLUE,
    "Niger-Congo": ORANGE,
    "Uralic": GREEN,
    "Dravidian": PURPLE,
    "Sino-Tibetan": "#8c564b",
    "Austroasiatic": "#7f7f00",
    "Austronesian": "#17677f",
    "Japonic": "#b22222",
    "Koreanic": "#4b0082",
}
CONDITION_COLOURS = {BASELINE: INK, REFUSING: BLUE, FOLLOWING: ORANGE}
MARKERS = {BASELINE: "o", REFUSING: "^", FOLLOWING: "v"}


def use_style() -> None:
    """Set the book's style for all figures and tables of this process; figures are drawn as SVG in notebooks."""
    matplotlib.style.use(Path(__file__).parent / "assets" / "book.mplstyle")
    pd.set_option("display.max_colwidth", None, "display.max_rows", 200, "display.max_columns", 40)
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})

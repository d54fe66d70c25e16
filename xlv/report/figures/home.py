"""The figures of the home page: what a concept vector is, and a thumbnail for each question."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from xlv.corpus.languages import language
from xlv.questions.claims.ledger import Ledger
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, FAINT, INK, ORANGE
from xlv.report.ledger import KINDS, kinds, names

_SIDES = {"positive": BLUE, "negative": ORANGE}


def plane(states: xr.DataArray, of: str) -> xr.DataArray:
    """States `[language, side, pair]` on a plane, `axis` last, each language about its own mean.

    The first axis is the concept vector of the language `of`, the second the direction at right angles to it in which
    the states of that language vary most; both in standard deviations of that language.
    """
    centred = states - states.mean(("side", "pair"))
    own = centred.sel(language=of).values.reshape(-1, states.sizes["d_model"])
    vector = (states.sel(side="positive") - states.sel(side="negative")).mean("pair").sel(language=of).values
    vector = vector / np.linalg.norm(vector)
    rest = own - np.outer(own @ vector, vector)
    basis = np.stack([vector, np.linalg.svd(rest, full_matrices=False)[2][0]], axis=1)
    return xr.DataArray(
        centred.values @ (basis / (own @ basis).std(axis=0)), centred.coords, (*centred.dims[:-1], "axis")
    )


def geometry(states: xr.DataArray, codes: Sequence[str], pairs: int = 32) -> Figure:
    """What a concept vector is: texts of some languages as points, an arrow from one side's mean to the other's."""
    figure, axes = draw.panels(len(codes), 2.6, width=7.2, ylabel="other variation")
    found = plane(states, codes[0])
    for panel, code in zip(axes, codes, strict=True):
        points = found.sel(language=code)
        for side, colour in _SIDES.items():
            x, y = points.sel(side=side).isel(pair=slice(pairs)).values.T
            panel.plot(x, y, "o", color=colour, ms=3.5, alpha=0.55, mec="none", label=f"{side} texts")
        tail, head = (points.sel(side=side).mean("pair").values for side in ("negative", "positive"))
        panel.annotate(
            "", head, tail, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        )
        panel.set_title(language(code).name)
        panel.set_xlabel(f"along the {language(codes[0]).name} vector")
        panel.set(xticks=[], yticks=[])
    shown = found.assign_coords(model=states.attrs.get("model", "")).isel(pair=slice(pairs)).to_dataframe("place")
    figure.numbers = shown.set_index("model", append=True)["place"].reorder_levels(["model", *found.dims]).to_csv()
    return draw.legend_below(figure)


def thumbnail(found: Ledger, claim: str, line: float, label: str) -> Figure:
    """A claim's statistic: a row per model, a dot per concept in the colour of its verdict, and the rule's line."""
    called = {
        model: name for model, name in names(found).items() if len(found.rows(claim, model).dropna(subset="value"))
    }
    figure = draw.new_figure(2.5, 0.5 + 0.24 * max(1, len(called)))
    panel = figure.subplots()
    panel.axvline(line, color=FAINT, lw=0.8)
    for row, model in enumerate(called):
        rows = found.rows(claim, model)
        for value, kind in zip(rows["value"], kinds(rows), strict=True):
            panel.plot(value, row, "o", color=KINDS[kind][0], mec=INK, mew=0.4, ms=4.5)
    draw.name_rows(panel, [name.replace("\n", " ") for name in called.values()], fontsize=7.5)
    panel.set_ylim(len(called) - 0.5, -0.5)
    panel.set_xlabel(label, fontsize=7.5)
    panel.tick_params(labelsize=7.5)
    panel.locator_params(axis="x", nbins=4)
    return figure

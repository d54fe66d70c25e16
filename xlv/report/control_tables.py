"""The tables of question 4, as a reader sees them."""

from collections.abc import Mapping
from itertools import product

import pandas as pd
import xarray as xr

from xlv.corpus.languages import labels, language
from xlv.questions.control.rates import comparison_table, corrected_table, is_generated, refusal_table
from xlv.report.formats import plain, told_apart, unbroken
from xlv.results import ABLATION, BASELINE, DIRECTIONS, KINDS, NOTHING, OWN, RANDOM, SYSTEM

COMPARED = {
    "refusal": "refused",
    "over_refusal": "over-refused",
    "selectivity": "selec\N{SOFT HYPHEN}tivity",
    "broken": "broken",
    "faithful": "in its language",
    "divergence": "nats",
    "perplexity": "perplexity",
}
_ACTS = {RANDOM: "random", SYSTEM: "prompt"}


def comparison_tables(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """The comparison tables of all models with generated completions."""
    found = {}
    for dataset in filter(is_generated, datasets.values()):
        table = comparison_table(dataset)
        names = [_named(row, dataset.attrs) for _, row in table.iterrows()]
        found[dataset.attrs["title"]] = table.set_axis(names).rename(columns=COMPARED)[list(COMPARED.values())]
    return _shown(found)


def _named(row: pd.Series, about: Mapping[str, str]) -> str:
    """A condition by what was done, without the words that all of its kind share."""
    if row["method"] in (NOTHING, ABLATION):
        return BASELINE if row["method"] == NOTHING else ABLATION
    act = _ACTS.get(row["method"]) or OWN
    if act == OWN and row["source"] != OWN:
        if (row["source"], row["concept"]) == (about["source"], about["concept"]):
            return row["direction"]
        act = row["concept"] if row["concept"] != about["concept"] else language(row["source"]).name
    return f"{act}, {row['direction'].removeprefix('towards ')}"


def rates_by_language(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Refusal rates by language, kind and main condition; corrected for a validated judge."""
    found = {}
    for dataset in filter(is_generated, datasets.values()):
        corrected = corrected_table(dataset)
        table, rate = (refusal_table(dataset), "rate") if corrected is None else (corrected, "corrected")
        wide = table.pivot(index="target", columns=["kind", "condition"], values=rate)
        wide = wide.loc[dataset["target"].values, list(product(KINDS, (BASELINE, *DIRECTIONS)))]
        found[dataset.attrs["title"]] = wide.set_axis(labels(wide.index)).rename_axis(columns=["", "language"])
    return _shown(found)


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of models below each other, numbers as text; of one model without its title."""
    if not tables:
        return pd.DataFrame()
    if len(tables) == 1:
        [table] = tables.values()
        return table.map(plain).rename(index=unbroken).rename_axis(None)
    table = pd.concat(dict(zip(told_apart(tables), tables.values(), strict=True)))  # names wrap beside the models'
    return table.map(plain).rename_axis([None, None])

"""Tables as a reader sees them: of the corpus, and of question 4."""

from collections.abc import Mapping
from itertools import product

import pandas as pd
import xarray as xr

from xlv.corpus.languages import LANGUAGES, labels, language
from xlv.corpus.pairs import full_texts
from xlv.questions.control.gated import GATED, generated_targets
from xlv.questions.control.judge import late_table
from xlv.questions.control.rates import comparison_table, corrected_table, is_generated, refusal_table
from xlv.report.formats import plain, readable, told_apart, unbroken
from xlv.schema import ABLATION, BASELINE, DIRECTIONS, KINDS, NOTHING, OWN, RANDOM, SYSTEM

SHOWN_IN = ("en", "zh", "ta", "sw")
# Soft hyphens, drawn only where a heading breaks: nine concepts across do not fit the page otherwise.
_HYPHENATED = "moral-ity deonto-logy fair-ness utili-tarian-ism truth-ful-ness harm-ful-ness senti-ment"
_BROKEN = {name.replace("-", ""): name.replace("-", "\N{SOFT HYPHEN}") for name in _HYPHENATED.split()}


def example_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """The first pair of every concept in some languages, of a table of pairs: both texts as a model reads them."""
    first = pairs[(pairs["pair"] == pairs["pair"].min()) & pairs["language"].isin(SHOWN_IN)]
    positive, negative = full_texts(first)
    first = first.assign(language=_names(first["language"]), positive=positive, negative=negative)
    return first.set_index(["concept", "language"])[["positive", "negative"]]


def likeness_table(figures: pd.DataFrame) -> pd.DataFrame:
    """Size of every concept and likeness of its two sides, means over languages, of a check's figures."""
    means = figures.groupby("concept", sort=False).mean(numeric_only=True)
    counts = means[["pairs", "groups"]].map(lambda value: plain(value, 0))
    shares = readable(means[["length_ratio", "same_ending", "identified"]])
    return counts.join(shares).rename(columns=lambda name: name.replace("_", " "))


def shortcut_table(figures: pd.DataFrame, surface: str) -> pd.DataFrame:
    """Paired accuracy of a surface classifier, `words` or `characters`: languages down, concepts across."""
    table = figures.pivot(index="language", columns="concept", values=surface)
    codes = [code for code in LANGUAGES if code in table.index] + [c for c in table.index if c not in LANGUAGES]
    table = readable(table.loc[codes, figures["concept"].unique()], 2)
    table.columns = [_BROKEN.get(name, name) for name in table.columns]
    return table.set_axis(_names(table.index))


def reading_table(review: pd.DataFrame) -> pd.DataFrame:
    """What the readings by language found, of the corpus's table of them."""
    table = review.drop(columns="language").rename(columns=lambda name: name.replace("_", " "))
    return table.set_axis(_names(review["language"]))


def _names(codes: pd.Series) -> list[str]:
    return [language(str(code)).name for code in codes]


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
    if row["method"] in (NOTHING, ABLATION, GATED):
        return row.name
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
        wide = wide.loc[generated_targets(dataset), list(product(KINDS, (BASELINE, *DIRECTIONS)))]
        found[dataset.attrs["title"]] = wide.set_axis(labels(wide.index)).rename_axis(columns=["", "language"])
    return _shown(found)


def late_refusals(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """How classes of completions change when these may go on, by condition and language."""
    found = {about.attrs["title"]: late_table(about) for about in datasets.values() if "late_outcome" in about}
    return _shown({title: table.set_axis([", ".join(name) for name in table.index]) for title, table in found.items()})


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of models below each other, numbers as text; of one model without its title."""
    if not tables:
        return pd.DataFrame()
    if len(tables) == 1:
        [table] = tables.values()
        return table.map(plain).rename(index=unbroken).rename_axis(None)
    table = pd.concat(dict(zip(told_apart(tables), tables.values(), strict=True)))  # names wrap beside the models'
    return table.map(plain).rename_axis([None, None])

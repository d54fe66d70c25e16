"""Answers in words, made of computed numbers: what a notebook says under its figures and the home page repeats."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN, READ, RELIABLE
from xlv.questions.claims.verdicts import Finding
from xlv.questions.consistency import tables as consistency_tables
from xlv.questions.recognition import tables as recognition_tables
from xlv.questions.transfer import tables as transfer_tables
from xlv.report.formats import p_equals, signed


def names_of(codes: list[str]) -> str:
    """Names of languages as a list in words."""
    names = [language(code).name for code in codes]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else "none"


def recognition(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> str:
    """Question 1 in words: in how many languages each model's concepts are read, and where not."""
    lines = []
    for dataset in datasets.values():
        table, read = recognition_tables.own_accuracy(dataset, protocol), recognition_tables.read(dataset, protocol)
        best, worst = table["accuracy"].idxmax(), table["accuracy"].idxmin()
        lines.append(
            f"- **{dataset.attrs['title']}**: mean accuracy {table['accuracy'].mean():.2f}; above {READ:.2f} and above the "
            f"better surface classifier in **{read.value:.0f} of {len(table)} languages** (simultaneous interval "
            f"{read.low:.0f} to {read.high:.0f}); best in "
            f"{language(str(best)).name} ({table.loc[best, 'accuracy']:.2f}), weakest in {language(str(worst)).name} "
            f"({table.loc[worst, 'accuracy']:.2f}); {table['pairs'].iloc[0]} test pairs a language."
        )
    return "\n".join(lines)


def consistency(datasets: dict[str, xr.Dataset]) -> str:
    """Question 2 in words: how alike vectors are across languages, and which similarities they keep."""
    lines = []
    summary = consistency_tables.consistency_summary(datasets)
    for dataset in datasets.values():
        row = summary.loc[dataset.attrs["title"]]
        linguistic = consistency_tables.linguistic_table(dataset)
        beyond = linguistic[linguistic["direct"] > linguistic["chance_high"]]
        kept = (
            f"follow {' and '.join(beyond.index)} similarity more than chance"
            if len(beyond)
            else "follow none of the four linguistic similarities more than chance"
        )
        if row["reliability"] < RELIABLE or np.isnan(row["corrected"]):
            lines.append(
                f"- **{dataset.attrs['title']}**: cannot be told. Vectors of two halves of one language's pairs agree at "
                f"{row['reliability']:.2f} only, below the {RELIABLE:.1f} that a corrected cosine needs (the paper's plain "
                f"cosine is {row['plain']:.2f}). {_known(dataset, row)}."
            )
            continue
        lines.append(
            f"- **{dataset.attrs['title']}**: mean corrected cosine between languages **{row['corrected']:.2f}** "
            f"(95 % interval {row['low']:.2f} to {row['high']:.2f}; the paper's plain cosine {row['plain']:.2f}; half vectors "
            f"of one language agree at {row['reliability']:.2f}); its {linguistic.attrs['kind']} cosines {kept}."
        )
    return "\n".join(lines)


def _known(dataset: xr.Dataset, row: pd.Series) -> str:
    """In how many pairs of languages a corrected cosine is known all the same, and its mean over these."""
    known, pairs = consistency_tables.known_pairs(dataset)
    if not known:
        return f"In none of the {pairs} pairs of languages do the halves of both agree enough to correct"
    chosen = " **of those pairs only**, a selection of what reads best," if known < pairs else ""
    return (
        f"In {known} of {pairs} pairs of languages, for one concept at least, the halves of both agree enough to correct: "
        f"the mean corrected cosine{chosen} is {row['corrected']:.2f} "
        f"(95 % interval {row['low']:.2f} to {row['high']:.2f})"
    )


def kinship(regressions: dict[str, pd.DataFrame]) -> str:
    """Which similarities of languages consistency follows beside script and shared tokens, by model title."""
    lines = []
    for title, table in regressions.items():
        kept = [
            f"{kind} similarity ({signed(row['coefficient'], 2)}, {p_equals(row['p_holm'])})"
            for kind, row in table.iterrows()
            if row["p_holm"] < 0.05
        ]
        found = "consistency follows " + " and ".join(kept) if kept else "no similarity is followed beyond chance"
        lines.append(f"- **{title}**: {found}, beside script and token overlap.")
    return "\n".join(lines)


def transfer(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> str:
    """Question 3 in words: whether transfer runs one way, from high- to low-resource languages."""
    lines = []
    summary = transfer_tables.transfer_summary(datasets, protocol)
    for title, row in summary.iterrows():
        one_way = row["U_low"] > 0 and row["p"] < 0.05
        verdict = (
            "transfer leans from high to low resource more than chance would have it"
            if one_way
            else "transfer leans neither way further than chance would have it"
        )
        lines.append(
            f"- **{title}**: {verdict}: $U$ is **{signed(row['U'])}** (95 % interval {signed(row['U_low'])} to "
            f"{signed(row['U_high'])}, {p_equals(row['p'])} under permuted languages). Of it $U_A$ = {signed(row['U_A'])} "
            f"lies between the languages, $U_D$ = {signed(row['U_D'])} in their own accuracies. Another language's vector "
            f"reads at {row['cross_accuracy']:.2f} on average, the own one at {row['own_accuracy']:.2f}."
        )
    return "\n".join(lines)


def claims(found: Mapping[str, list[Finding]], titles: Mapping[str, str]) -> str:
    """The ledger in words: per model which claims hold, which do not, and why the others cannot be told."""
    lines = []
    for model, findings in found.items():
        by_verdict = {v: [f for f in findings if f.verdict == v] for v in (HOLDS, FAILS, OPEN)}
        parts = [
            f"{verdict}: " + "; ".join(f"{f.claim} ({CLAIMS[f.claim].rstrip('.').lower()})" for f in group)
            for verdict, group in by_verdict.items()
            if group and verdict != OPEN
        ]
        reasons: dict[str, list[str]] = {}
        for f in by_verdict[OPEN]:
            reasons.setdefault(f.why or "the interval is too wide", []).append(str(f.claim))
        unknown = "; ".join(f"{', '.join(numbers)} ({why})" for why, numbers in reasons.items())
        parts += [f"{OPEN}: {unknown}"] if unknown else []
        lines.append(f"- **{titles[model]}**. {' '.join(part[0].upper() + part[1:] + '.' for part in parts)}")
    return "\n".join(lines)

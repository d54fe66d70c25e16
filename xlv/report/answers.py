"""Answers in words, made of computed numbers: what a page says under its title, and the home page in a line each."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.as_published import summary
from xlv.questions.claims.ledger import read
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN, READ, RELIABLE
from xlv.questions.consistency.tables import consistency_summary, known_pairs, linguistic_table
from xlv.questions.control.rates import hardly_refuses, mean_rates
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary
from xlv.report.formats import p_equals, short, signed, told_apart
from xlv.report.ledger import Ledger, of, value
from xlv.results import BASELINE, DIRECTIONS, HARMFUL, is_published

Results = Mapping[str, xr.Dataset]
MEASURES = {
    1: f"Languages read above {READ:.2f} and above the surface of the texts",
    3: "Corrected cosine between two languages' vectors, one if they point the same way",
    5: "One-way transfer U, accuracy gained from high to low resource",
    8: "Share of languages in which refusals move as asked",
}
ONE_WAY = {
    HOLDS: "transfer runs one way, from high- to low-resource languages",
    FAILS: "transfer does not run one way",
    OPEN: "whether transfer runs one way remains open",
}


def names_of(codes: list[str]) -> str:
    """Names of languages as a list in words."""
    names = [language(code).name for code in codes]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else "none"


def recognition(datasets: Results, protocol: str = "cv") -> str:
    """Question 1 in words: in how many languages each model's concepts are read, and where not."""
    lines = []
    for dataset in datasets.values():
        table, first = own_accuracy(dataset, protocol), read(dataset, protocol)
        best, worst = table["accuracy"].idxmax(), table["accuracy"].idxmin()
        lines.append(
            f"- **{dataset.attrs['title']}**: mean accuracy {table['accuracy'].mean():.2f}; above {READ:.2f} and above the "
            f"better surface classifier in **{first.value:.0f} of {len(table)} languages** (simultaneous interval "
            f"{first.low:.0f} to {first.high:.0f}); best in {language(str(best)).name} ({table.loc[best, 'accuracy']:.2f}), "
            f"weakest in {language(str(worst)).name} ({table.loc[worst, 'accuracy']:.2f}); {table['pairs'].iloc[0]} test "
            "pairs per language."
        )
    return "\n".join(lines)


def consistency(datasets: Results) -> str:
    """Question 2 in words: how alike vectors are across languages, and which similarities they keep."""
    lines, rows = [], consistency_summary(datasets)
    for dataset in datasets.values():
        title, row = dataset.attrs["title"], rows.loc[dataset.attrs["title"]]
        if row["reliability"] < RELIABLE or np.isnan(row["corrected"]):
            lines.append(
                f"- **{title}**: {OPEN}. Vectors of two halves of one language's pairs agree at {row['reliability']:.2f} "
                f"only, below the {RELIABLE:.1f} that a corrected cosine needs (the paper's plain cosine is "
                f"{row['plain']:.2f}). {_known(dataset, row)}."
            )
            continue
        linguistic = linguistic_table(dataset)
        beyond = linguistic[linguistic["direct"] > linguistic["chance_high"]]
        kept = f"{' and '.join(beyond.index)} similarity" if len(beyond) else "none of the four linguistic similarities"
        lines.append(
            f"- **{title}**: mean corrected cosine between languages **{row['corrected']:.2f}** (95 % interval "
            f"{row['low']:.2f} to {row['high']:.2f}; the paper's plain cosine {row['plain']:.2f}; half vectors of one "
            f"language agree at {row['reliability']:.2f}); its {linguistic.attrs['kind']} cosines follow {kept} more than "
            "chance."
        )
    return "\n".join(lines)


def _known(dataset: xr.Dataset, row: pd.Series) -> str:
    """In how many pairs of languages a corrected cosine is known all the same, and its mean over these."""
    known, pairs = known_pairs(dataset)
    if not known:
        return f"In none of the {pairs} pairs of languages do the halves of both agree enough to correct"
    chosen = " **of those pairs only**, a selection of what reads best," if known < pairs else ""
    return (
        f"In {known} of {pairs} pairs of languages, for one concept at least, the halves of both agree enough to correct: "
        f"the mean corrected cosine{chosen} is {row['corrected']:.2f} "
        f"(95 % interval {row['low']:.2f} to {row['high']:.2f})"
    )


def kinship(regressions: Mapping[str, pd.DataFrame]) -> str:
    """Which similarities of languages consistency follows, script and shared tokens held fixed, by model title."""
    lines = []
    for title, table in regressions.items():
        kept = table[table["p_holm"] < 0.05][["coefficient", "p_holm"]].itertuples()
        words = " and ".join(f"{kind} similarity ({signed(value, 2)}, {p_equals(p)})" for kind, value, p in kept)
        found = f"consistency follows {words}" if words else "no similarity is followed beyond chance"
        lines.append(f"- **{title}**: {found}, beside script and token overlap.")
    return "\n".join(lines)


def transfer(datasets: Results, found: Ledger, protocol: str = "cv") -> str:
    """Question 3 in words: whether transfer runs one way, as the ledger (`found`, by model) judges claim 5."""
    lines, rows = [], transfer_summary(datasets, protocol)
    for model, dataset in datasets.items():
        row, fifth = rows.loc[dataset.attrs["title"]], of(found[model], 5)
        why = f" ({fifth.why})" if fifth.why else ""
        lines.append(
            f"- **{dataset.attrs['title']}**: {ONE_WAY[fifth.verdict]}{why}. $U$ is **{signed(row['U'])}** (95 % interval "
            f"{signed(row['U_low'])} to {signed(row['U_high'])}, {p_equals(row['p'])} under permuted languages). Of it "
            f"$U_A$ = {signed(row['U_A'])} lies between the languages, $U_D$ = {signed(row['U_D'])} in their own "
            f"accuracies. Another language's vector reads at {row['cross_accuracy']:.2f} on average, the own one at "
            f"{row['own_accuracy']:.2f}."
        )
    return "\n".join(lines)


def claims(found: Ledger, titles: Mapping[str, str]) -> str:
    """The ledger in words: per model which claims hold, which do not, and why the others are open."""
    lines = []
    for model, findings in found.items():
        said: dict[str, list[str]] = {}
        for f in sorted(findings, key=lambda f: (HOLDS, FAILS, OPEN).index(f.verdict)):
            if f.verdict == OPEN:
                said.setdefault(f"{OPEN} ({f.why or 'the interval is too wide'})", []).append(str(f.claim))
            else:
                said.setdefault(f.verdict, []).append(f"{f.claim} ({CLAIMS[f.claim].rstrip('.').lower()})")
        words = [f"{verdict[0].upper()}{verdict[1:]}: {', '.join(which)}." for verdict, which in said.items()]
        lines.append(f"- **{titles[model]}**. {' '.join(words)}")
    return "\n".join(lines)


def as_published(recognition: Results, consistency: Results) -> str:
    """The paper's own measures in words: own accuracy, accuracy across languages, and plain cosine where known."""
    lines = []
    for title, row in summary(recognition, consistency).iterrows():
        alike = f"; mean cosine between languages {row['cosine']:.2f}" if np.isfinite(row["cosine"]) else ""
        lines.append(f"- **{title}**: own accuracy {row['own']:.2f}, across languages {row['across']:.2f}{alike}.")
    if not any(map(is_published, recognition.values())):
        lines.append("- No published results were imported into this edition; `xlv import-results` adds the paper's.")
    return "\n".join(lines)


def in_short(claim: int, found: Ledger, titles: Mapping[str, str]) -> str:
    """The number behind a claim, model by model, and the verdicts, in one line."""
    numbers, verdicts = [], {}
    names = told_apart(titles[model] for model in found)
    for name, findings in zip(names, found.values(), strict=True):
        finding = of(findings, claim)
        numbers += [f"**{value(finding)}** ({name})"] if np.isfinite(finding.value) else []
        verdicts.setdefault(finding.verdict, []).append(name)
    if len(verdicts) == 1:
        verdicts = {verdict: ["all models"] for verdict in verdicts}
    said = "; ".join(f"*{verdict}* for {', '.join(models)}" for verdict, models in verdicts.items())
    return f"{MEASURES[claim]}: {', '.join(numbers) or 'not measured'}. The paper's claim: {said}."


def tally(found: Ledger) -> str:
    """How many verdicts of each kind the ledger has."""
    verdicts = Counter(finding.verdict for findings in found.values() for finding in findings)
    counts = ", ".join(f"{verdicts[kind]} *{kind}*" for kind in (HOLDS, FAILS, OPEN))
    return f"Of {verdicts.total()} verdicts, one for each claim and model, {counts}."


def refusals(datasets: Results) -> str:
    """Refusal rates of harmful instructions without control and in both directions, for models that refuse."""
    lines = []
    for dataset in datasets.values():
        if not hardly_refuses(dataset):
            rate, name = mean_rates(dataset, without=dataset.attrs["source"])[HARMFUL], short(dataset.attrs["title"])
            moved = " and ".join(f"**{rate[direction]:.2f}** {direction}" for direction in DIRECTIONS)
            lines.append(f"{name} refuses harmful instructions at {rate[BASELINE]:.2f}, {moved}.")
    return " ".join(lines)

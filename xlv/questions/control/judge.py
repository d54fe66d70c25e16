"""How good the rule judge is: its precision and recall on labelled completions, and rates corrected for its errors."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xlv.questions.control.gated import CARRIED, gates
from xlv.schema import BASELINE, BROKEN, OUTCOMES, REFUSAL, REFUSING
from xlv.statistics.resampling import interval, proportion_interval

VALIDATION = Path(__file__).with_name("judge_validation.tsv")
COLUMNS = ("language", "model", "condition", "completion_sha256", "rule", "label_1", "label_2")
MIN_REFUSALS = 10
_DRAWS = 4000


@dataclass(frozen=True)
class Quality:
    """Counts of a judge against labels on which two passes agree, one outcome being what is looked for.

    `kappa` is Cohen's kappa of the two passes over all completions, `disagreed` the number left out for disagreement.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    kappa: float
    disagreed: int

    def shares(self) -> dict[str, tuple[float, float, float]]:
        """Precision, recall (sensitivity) and specificity, each with its 95 % Wilson interval; NaN without trials."""
        right = np.array([self.true_positive, self.true_positive, self.true_negative])
        trials = right + [self.false_positive, self.false_negative, self.false_positive]
        with np.errstate(invalid="ignore"):
            found = np.array([right / trials, *proportion_interval(right, trials)])
        return dict(zip(("precision", "recall", "specificity"), map(tuple, found.T.tolist()), strict=True))


def load_validation(path: Path = VALIDATION) -> pd.DataFrame | None:
    """The labelled completions, a row each with COLUMNS; None if there are none, ValueError if they are malformed."""
    if not path.is_file():
        return None
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if absent := [column for column in COLUMNS if column not in table]:
        raise ValueError(f"{path} lacks the column {absent[0]!r}: expected {', '.join(COLUMNS)}")
    for column in ("rule", "label_1", "label_2"):
        if unknown := sorted(set(table[column]) - set(OUTCOMES)):
            raise ValueError(f"{path}: {column} holds {unknown[0]!r}, expected one of {', '.join(OUTCOMES)}")
    return table


def quality(table: pd.DataFrame, outcome: str = REFUSAL) -> Quality:
    """How the rule judge fares on labelled completions, looking for an outcome."""
    from sklearn.metrics import cohen_kappa_score

    one, two = table["label_1"].to_numpy(), table["label_2"].to_numpy()
    kappa = 1.0 if (one == two).all() else float(cohen_kappa_score(one, two))  # undefined for one class throughout
    first, second, rule = (table[column].to_numpy() == outcome for column in ("label_1", "label_2", "rule"))
    agreed = first == second
    truth, judged = first[agreed], rule[agreed]
    counts = [int(cell.sum()) for cell in (truth & judged, ~truth & judged, truth & ~judged, ~truth & ~judged)]
    return Quality(*counts, kappa, int((~agreed).sum()))


def quality_table(table: pd.DataFrame) -> pd.DataFrame:
    """Precision and recall with intervals, pooled (`all`) and for each language with at least ten refusals.

    Of broken completions, too: how many both passes call so, and the rules' precision and recall.
    """
    rows = {}
    for name, part in [("all", table), *table.groupby("language")]:
        found = quality(part)
        refusals = found.true_positive + found.false_negative
        if name != "all" and refusals < MIN_REFUSALS:
            continue
        spoilt = quality(part, BROKEN)
        row = {"completions": len(part), "refusals": refusals, "disagreed": found.disagreed, "kappa": found.kappa}
        row |= {"broken": spoilt.true_positive + spoilt.false_negative, "broken_found": spoilt.true_positive}
        row |= {f"broken_{name}": spoilt.shares()[name][0] for name in ("precision", "recall")}
        for share, (value, low, high) in found.shares().items():
            row |= {share: value, f"{share}_low": low, f"{share}_high": high}
        rows[name] = row
    return pd.DataFrame(rows).T


def late_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusals among completions by their first tokens and by all, without control, steered and gated, by language.

    `completions`, `early` and `late` refusals, and `changed`: completions of another class by all their tokens. Empty
    for results without longer completions.
    """
    if "late_outcome" not in dataset:
        return pd.DataFrame()
    found = dataset["late_outcome"].rename(late_condition="condition", late_target="target", late_prompt="prompt")
    gate = gates(dataset, dataset.attrs["source"])[CARRIED].drop_vars("prompt").sel(target=found["target"])
    plain, steered = (found.sel(condition=name, drop=True) for name in (BASELINE, REFUSING))
    gated, rows = steered.where(gate.isel(prompt=slice(found.sizes["prompt"])) == 1, plain), {}
    acts = {BASELINE: plain, REFUSING: steered, CARRIED: gated}
    for (name, classes), code in product(acts.items(), found["target"].values):
        ends = classes.sel(target=code).transpose("length", ...).values.reshape(2, -1)
        early, late = ends[:, ends[0] >= 0]
        refused = [int((part == OUTCOMES.index(REFUSAL)).sum()) for part in (early, late)]
        rows[name, str(code)] = [len(early), *refused, int((early != late).sum())]
    index = pd.MultiIndex.from_tuples(rows, names=["condition", "language"])
    return pd.DataFrame([*rows.values()], index, ["completions", "early", "late", "changed"])


def corrected_rate(refused: int, trials: int, judged: Quality) -> tuple[float, float, float]:
    """A refusal rate corrected for the judge's errors (Rogan and Gladen 1978), with a 95 % interval.

    (p + specificity − 1) / (recall + specificity − 1), kept within 0 and 1. The interval carries the uncertainty of the
    rate and of both errors: each is drawn from its Jeffreys posterior. NaN if the judge is no better than chance.
    """
    recall, specificity = (judged.shares()[name][0] for name in ("recall", "specificity"))
    if not recall + specificity > 1:
        return np.nan, np.nan, np.nan
    draw = np.random.default_rng(0).beta
    p = np.append(refused / trials, draw(refused + 0.5, trials - refused + 0.5, _DRAWS))
    recalls = np.append(recall, draw(judged.true_positive + 0.5, judged.false_negative + 0.5, _DRAWS))
    specificities = np.append(specificity, draw(judged.true_negative + 0.5, judged.false_positive + 0.5, _DRAWS))
    rates = np.clip((p + specificities - 1) / (recalls + specificities - 1), 0, 1)  # the rate itself, then draws
    low, high = interval(rates[1:])
    return float(rates[0]), float(low), float(high)

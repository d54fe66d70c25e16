"""The claims ledger: verdicts on results by the rules of `rules`; each can fail, and says when it cannot be told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import linguistic_similarity
from xlv.questions.claims import rules
from xlv.questions.claims.rules import FAILS, HOLDS, OPEN
from xlv.questions.common import dominant_languages, resource_ranks, value_accuracy
from xlv.questions.consistency.linguistics import correlation
from xlv.questions.consistency.tables import consistency_matrix, mean_corrected, reliability
from xlv.questions.recognition.tables import best_surface, own_estimate
from xlv.questions.transfer.one_way import among, one_way_estimates, permutation_p
from xlv.results import Results
from xlv.statistics.resampling import Estimate, holm, interval, interval_about


@dataclass(frozen=True)
class Finding:
    """A claim's statistic, its simultaneous interval (NaN: none), the verdict, and why where it is not plain."""

    claim: int
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    verdict: str = OPEN
    why: str = ""


@dataclass(frozen=True)
class Evidence:
    """What claims 1 to 7 are judged on: one model, means over its value concepts.

    accuracy     `[source, target]`
    surface      `[language]` the better surface classifier
    corrected    `[split]` mean corrected cosine between languages, resampled; NaN where undefined
    reliability  `[language]` cosine of half vectors
    consistency  `[source, target]` corrected cosines, and `similarity` of the languages by kind
    ranks        `[language]` 0 the best resourced; `dominant` `[language]` marks
    """

    accuracy: Estimate
    surface: Estimate
    corrected: np.ndarray
    reliability: np.ndarray
    consistency: np.ndarray
    similarity: Mapping[str, np.ndarray]
    ranks: np.ndarray
    dominant: np.ndarray


def judge(evidence: Evidence) -> list[Finding]:
    """Findings on claims 1 and 3 to 7; the last five cannot be told where the gate is shut."""
    first = encoded(evidence.accuracy.of(lambda a: np.diagonal(a, axis1=-2, axis2=-1)), evidence.surface)
    n, sound, shut = len(evidence.reliability), int((evidence.reliability >= rules.RELIABLE).sum()), ""
    if n < 2:
        shut = "it takes two languages"
    elif first.verdict != HOLDS:
        shut = f"claim 1: {first.verdict}"
    elif sound < rules.MANY * n:
        shut = f"half vectors agree in {sound} of {n} languages only"
    found = [inconsistent(evidence), distorted(evidence), one_sided(evidence), balanced(evidence)]
    found.append(beyond_own(evidence, found[2]))
    return [first, *(replace(f, verdict=OPEN, why=shut) if shut else f for f in found)]


def _verdict(holds: bool, fails: bool) -> str:
    return HOLDS if holds else FAILS if fails else OPEN


def encoded(vectors: Estimate, surface: Estimate) -> Finding:
    """Claim 1, of own vectors and the better surface classifier `[language]`; their resamples draw the same pairs."""
    n, count = len(vectors.value), int(((vectors.value > rules.READ) & (vectors.value > surface.value)).sum())
    drawn = vectors.samples - vectors.samples.mean(axis=0) + vectors.value  # lower as a whole: see interval_about
    low, high = interval(((drawn > rules.READ) & (drawn > surface.samples)).sum(axis=1), rules.LEVEL)
    return Finding(1, count, float(low), float(high), _verdict(low >= rules.MANY * n, high <= rules.FEW * n))


def scaled(smaller: Estimate, larger: Estimate) -> Finding:
    """Claim 2, own accuracies `[language]` of two models of one series; their resamples draw the same pairs."""
    value = float((larger.value - smaller.value).mean())
    low, high = interval_about(value, (larger.samples - smaller.samples).mean(axis=1), rules.LEVEL)
    return Finding(2, value, float(low), float(high), _verdict(low > 0, high <= 0))


def inconsistent(evidence: Evidence) -> Finding:
    """Claim 3."""
    if np.isfinite(evidence.corrected).mean() < 0.9:
        return Finding(3, why="half vectors do not agree, so no cosine can be corrected")
    low, high = interval(evidence.corrected, rules.LEVEL)
    value = float(np.nanmedian(evidence.corrected))
    return Finding(3, value, float(low), float(high), _verdict(high < rules.ALIKE, low >= rules.ALIKE))


def distorted(evidence: Evidence) -> Finding:
    """Claim 4. Its value is the number of similarities with a significant excess; it has no interval."""
    if evidence.dominant.sum() < 2:
        return Finding(4, why="one dominant language: size and kinship cannot be told apart")
    found = [correlation(evidence.consistency, s, evidence.dominant) for s in evidence.similarity.values()]
    excess, p = np.transpose([(one.split - one.direct, one.excess_p) for one in found])
    if not np.isfinite(excess).all():
        return Finding(4, why="too few corrected cosines")
    above = int((holm(p) < 0.05).sum())
    return Finding(4, above, verdict=_verdict(above >= 3, (excess <= 0).sum() >= 2))


def _part(evidence: Evidence, part: str) -> tuple[float, float, float]:
    """U or a part of it with its simultaneous interval, over all languages."""
    found = one_way_estimates(evidence.accuracy, evidence.ranks)[part]
    return float(found.value), *map(float, found.interval(rules.LEVEL))


def one_sided(evidence: Evidence) -> Finding:
    """Claim 5."""
    passed = []
    for kept in (np.arange(len(evidence.ranks)), np.flatnonzero(~evidence.dominant)):
        accuracy, ranks = among(evidence.accuracy, evidence.ranks, kept)
        total = one_way_estimates(accuracy, ranks)["U"]
        p = permutation_p(accuracy.value, ranks)
        passed.append(total.value > rules.MARGIN and total.interval(rules.LEVEL)[0] > 0 and p < rules.ONE_WAY_P)
    value, low, high = _part(evidence, "U")
    why = "not without the dominant languages" if passed[0] and not passed[1] else ""
    return Finding(5, value, low, high, _verdict(all(passed), high < rules.MARGIN), why)


def balanced(evidence: Evidence) -> Finding:
    """Claim 6."""
    value, low, high = _part(evidence, "U")
    verdict = _verdict(low > -rules.MARGIN and high < rules.MARGIN, low >= rules.MARGIN or high <= -rules.MARGIN)
    return Finding(6, value, low, high, verdict)


def beyond_own(evidence: Evidence, fifth: Finding) -> Finding:
    """Claim 7, given the finding on claim 5."""
    value, low, high = _part(evidence, "U_A")
    verdict = _verdict(fifth.verdict == HOLDS and low > 0, fifth.verdict == FAILS or high < rules.MARGIN)
    return Finding(7, value, low, high, verdict)


def controllable(directions: Mapping[str, pd.DataFrame]) -> Finding:
    """Claim 8: the largest share of target languages with room that one direction moves; it has no interval.

    `directions` are tables as of `control.rates.moves`, a row per target language.
    """
    if not directions:
        return Finding(8, why="question 4 was not asked of this model")
    room = {name: table["before"].between(*rules.ROOM) for name, table in directions.items()}
    if max(marks.sum() for marks in room.values()) < 2:
        return Finding(8, why=f"fewer than two languages refuse at {rules.ROOM[0]} to {rules.ROOM[1]}")
    if any(table["random"].isna().all() for table in directions.values()):
        return Finding(8, why="no random vector was generated with")
    found = pd.concat({name: table.fillna({"random": table["random"].mean()}) for name, table in directions.items()})
    found = found[pd.concat(room)]
    beyond = found["change"] - found["random"].clip(lower=0) >= rules.SHIFT
    moved = (holm(found["p"].to_numpy()) < 0.05) & beyond & (found["broken"] < rules.SHIFT)
    share, possible = (marks.groupby(level=0).mean().max() for marks in (moved, found["high"] >= rules.SHIFT))
    return Finding(8, float(share), verdict=_verdict(share >= 0.5, possible < 0.5))


def evidence(recognition: xr.Dataset, consistency: xr.Dataset) -> Evidence:
    """What one model's results say on claims 1 to 7, under protocol `cv`, means over its value concepts."""
    return Evidence(
        accuracy=value_accuracy(recognition),
        surface=best_surface(recognition),
        corrected=mean_corrected(consistency),
        reliability=reliability(consistency),
        consistency=consistency_matrix(consistency).to_numpy(),
        similarity=linguistic_similarity([str(code) for code in recognition["source"].values]),
        ranks=resource_ranks(recognition),
        dominant=dominant_languages(recognition),
    )


def findings(
    recognition: Results, consistency: Results, control: Mapping[str, Mapping[str, pd.DataFrame]], series: Results
) -> dict[str, list[Finding]]:
    """Findings on all eight claims, a list per model.

    `control` gives the moves of question 4 per model, where it was asked; `series` the recognition of two models of
    one series on the same pairs, the smaller first, for claim 2: it is said of the larger one.
    """
    found, larger = {}, list(series)[1] if len(series) == 2 else None
    for model, dataset in recognition.items():
        second = Finding(2, why="not the larger of two models of one series on the same pairs")
        if model == larger:
            second = scaled(*map(own_estimate, series.values()))
        first, *others = judge(evidence(dataset, consistency[model]))
        found[model] = [first, second, *others, controllable(control.get(model, {}))]
    return found


def read(dataset: xr.Dataset, protocol: str = "cv") -> Finding:
    """In how many languages own vectors are read, counted as for claim 1."""
    vectors, surface = own_estimate(dataset, protocol), best_surface(dataset)
    defined = np.isfinite(vectors.samples).all(axis=1)  # one split has few test pairs: a resample may draw none
    return encoded(*(Estimate(found.value, found.samples[defined]) for found in (vectors, surface)))

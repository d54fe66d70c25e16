"""The rules: what each claim asks of one concept of one model, and when it holds. Their words: `claims.toml`.

One family is the seven value concepts of one claim on one model; intervals at 1 − .05/7 and p < .05/7 decide.
"""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xlv.questions.claims.evidence import Evidence
from xlv.questions.consistency import kinship
from xlv.questions.consistency.pooled import pooled
from xlv.questions.transfer import gradients
from xlv.questions.transfer.gradients import gradient_p, scaled, source_coefficients, triangle_p
from xlv.questions.transfer.one_way import one_way
from xlv.statistics.jackknife import Replicated

HOLDS, FAILS, UNDECIDED, NOT_ASKED = "holds", "does not hold", "undecided", "not asked"
FAMILY = 7
ALPHA = 0.05 / FAMILY
LEVEL = 1 - ALPHA
READ = 0.60  # mean own accuracy from which a concept counts as encoded
CHANCE = 0.50  # mean cross-language accuracy above which claims 3 to 7 are asked
LARGER = 0.02  # accuracy by which a larger model must read better, not to fail
ALIKE = 0.8  # pooled consistency below which vectors count as inconsistent
FEW, MANY = 3, 10  # readable languages that claim 3, and claims 4 and 7, take
SEVERAL = 5  # languages that can be permuted
SITUATIONS = 16  # from which a standard error is trusted
RELATED = 0.05  # consistency per standard deviation of similarity
GRADIENT = 0.025  # accuracy from the poorest to the richest language
BALANCED = 0.03  # accuracy by which transfer may lean to one side
STRENGTH = 0.25  # consistency from the poorest to the richest language
TRIANGLE = 0.01  # accuracy by which transfer downwards exceeds transfer upwards
SAME = 0.05  # difference between two models that counts as none
MOVED, WORSE = 0.10, 0.05  # by which control must change refusals or selectivity, not to fail; what it may cost
OF_TWO, OF_CONTROL = ("2", "M"), ("8a", "8b", "8c")  # claims on two models, and on refusals: rules in `control`


def _words() -> dict[str, dict[str, str]]:
    """Of each claim what it says, its statistic and its rule, each on one line with its thresholds."""
    text = Path(__file__).with_name("claims.toml").read_text(encoding="utf-8")
    claims = tomllib.loads(text)
    return {c: {k: " ".join(v.format(**globals()).split()) for k, v in words.items()} for c, words in claims.items()}


CLAIMS = _words()


@dataclass(frozen=True)
class Finding:
    """A claim's statistic on one concept: its simultaneous interval, its 95 % one, the verdict, and why not, if so.

    `detectable` is the smallest effect, from where the rule draws its line, found in four of five cases; `p` by
    permuted languages or flipped signs; each NaN where the rule has none.
    """

    claim: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    low95: float = np.nan
    high95: float = np.nan
    verdict: str = NOT_ASKED
    why: str = ""
    detectable: float = np.nan
    p: float = np.nan


def _finding(claim: str, found: Replicated, holds, fails, *, share: bool = False, p: float = np.nan) -> Finding:
    """The finding on a statistic; `holds` and `fails` are asked of its simultaneous interval."""
    of = found.share_interval if share else found.interval
    (low, high), (low95, high95) = of(LEVEL), of()
    verdict = HOLDS if holds(low, high) else FAILS if fails(low, high) else UNDECIDED
    ends = map(float, (found.value, low, high, low95, high95))
    return Finding(claim, *ends, verdict, detectable=float(found.detectable(LEVEL)), p=p)


def asked(e: Evidence) -> bool:
    """Whether the other languages' vectors read the concept at all, which claims 3 to 7 take."""
    return len(e.ranks) > 1 and bool(e.cross.share_interval(LEVEL)[0] > CHANCE)


def encoded(e: Evidence) -> Finding:
    """Claim 1a: mean own accuracy."""
    mean = e.own.of(lambda a: a.mean(axis=-1))
    return _finding("1a", mean, lambda low, _: low > READ, lambda _, high: high < READ, share=True)


def beyond_surface(e: Evidence) -> Finding:
    """Claim 1b: mean own accuracy minus that of each surface classifier; the finding is of the smaller difference."""
    mean = e.own.of(lambda a: a.mean(axis=-1))
    kinds = [e.surface.of(lambda s, k=k: s[..., k, :].mean(axis=-1)) for k in range(e.surface.value.shape[-2])]
    found = [_finding("1b", mean.minus(kind), lambda low, _: low > 0, lambda _, high: high < 0) for kind in kinds]
    least = min(found, key=lambda one: one.low)
    verdicts = {one.verdict for one in found}
    return replace(least, verdict=FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else HOLDS)


def larger(small: Evidence, large: Evidence) -> Finding:
    """Claim 2: mean own accuracy of the larger of two models minus that of the smaller, on the same pairs."""
    gain = large.own.minus(small.own).of(lambda a: a.mean(axis=-1))
    return _finding("2", gain, lambda low, _: low > 0, lambda _, high: high < LARGER)


def inconsistent(e: Evidence) -> Finding:
    """Claim 3: the contrast D; the finding's value and interval are those of ρ."""
    if why := _unasked(e, FEW):
        return Finding("3", why=why)
    found = pooled(e.moments)
    low, high = found.contrast(ALIKE).interval(LEVEL)
    return _finding("3", found.linearised(), lambda *_: high < 0, lambda *_: low > 0)


_UNREAD = "other languages' vectors do not read it"


def unreadable(e: Evidence, least: int) -> str:
    """Why too few languages are readable for a claim; empty if they are enough."""
    n = int(e.moments.readable.sum() if least == MANY else np.isfinite(e.moments.weights).sum(axis=1).min())
    return f"{n} of {len(e.ranks)} languages are readable: it takes {least}" if n < least else ""


def _unasked(e: Evidence, readable: int = 0, languages: int = 2, *, similar: bool = False) -> str:
    """Why a claim is not asked of a concept, empty where it is: too few languages, too few readable, or not read."""
    if similar and np.isnan(e.similarity[e.moments.readable][:, e.moments.readable]).any():
        return "linguistic distances of some languages are not known"
    if len(e.ranks) < languages:
        return f"it takes {languages} languages, and there are {len(e.ranks)}"
    return (unreadable(e, readable) if readable else "") or ("" if asked(e) else _UNREAD)


def related(e: Evidence) -> Finding:
    """Claim 4a: consistency on linguistic similarity, beside an effect of each language."""
    if why := _unasked(e, MANY, similar=True):
        return Finding("4a", why=why)
    found = kinship.regression(e.moments, e.similarity)
    above = found.p < ALPHA and found.coefficient.value > 0
    return _finding("4a", found.coefficient, lambda *_: above, lambda _, high: high < RELATED, p=found.p)


def distorted(e: Evidence) -> Finding:
    """Claim 4b: whether similarity counts more among richer languages: its product with the lesser one's resource."""
    if why := _unasked(e, MANY, similar=True):
        return Finding("4b", why=why)
    order = scaled(e.ranks)
    lesser = np.minimum(order[:, None], order[None, :])
    found = kinship.regression(e.moments, e.similarity * lesser, e.similarity)
    return _finding("4b", found.coefficient, lambda *_: found.p < ALPHA, lambda _, high: high < RELATED, p=found.p)


def source_gradient(e: Evidence) -> Replicated:
    """Accuracy gained from the poorest to the richest source, at fixed targets."""
    return gradients.source_gradient(e.accuracy, e.ranks)


def target_gradient(e: Evidence) -> Replicated:
    """Accuracy gained from the poorest to the richest target, at fixed sources."""
    return gradients.target_gradient(e.accuracy, e.ranks)


def teaching(e: Evidence) -> Finding:
    """Claim 5: the source gradient, also without the dominant languages."""
    if why := _unasked(e, languages=SEVERAL):
        return Finding("5", why=why)
    found, order = source_gradient(e), scaled(e.ranks)
    p, rest = gradient_p(e.accuracy.value, order, e.european), np.flatnonzero(~e.dominant)
    without = gradient_p(e.accuracy.value[np.ix_(rest, rest)], scaled(e.ranks[rest]), e.european[rest])
    passed = p < ALPHA and without < 0.05
    shown = _finding("5", found, lambda low, _: low > 0 and passed, lambda _, high: high < GRADIENT, p=p)
    missing = shown.low > 0 and p < ALPHA and not passed
    return replace(shown, why="not without the dominant languages" if missing else "")


def symmetric(e: Evidence) -> Finding:
    """Claim 6: U_A within a margin, by two one-sided tests, where both gradients rise."""
    if why := _unasked(e, languages=SEVERAL):
        return Finding("6", why=why)
    found = e.accuracy.of(lambda a: one_way(a, e.ranks).crossing)
    rise = all(gradient.interval(LEVEL)[0] > 0 for gradient in (source_gradient(e), target_gradient(e)))
    inside = abs(found.value) + found.quantile(1 - 2 * ALPHA) * found.standard_error() < BALANCED
    outside = lambda low, high: low > BALANCED or high < -BALANCED  # noqa: E731
    shown = _finding("6", found, lambda *_: inside and rise, outside)
    return replace(shown, why="the gradients do not both rise" if inside and not rise else "")


def stronger(e: Evidence) -> Finding:
    """Claim 7: the gradient of teaching strength: of consistency over the languages' resources, noise taken off."""
    if why := _unasked(e, MANY):
        return Finding("7", why=why)
    kept = np.flatnonzero(e.moments.readable)
    coefficients = np.zeros((2, *e.accuracy.value.shape))
    for half, weights in enumerate(e.moments.weights):
        cells = np.ix_(kept, kept)
        slope = source_coefficients(scaled(e.ranks[kept]))
        coefficients[half][cells] = slope * np.outer(weights[kept], weights[kept]) / 2
    found = e.moments.linear(coefficients)
    pairwise = np.mean(
        [half.value * np.outer(w, w) for half, w in zip(e.moments.products, e.moments.weights, strict=True)], axis=0
    )
    p = gradient_p(pairwise[np.ix_(kept, kept)], scaled(e.ranks[kept]), e.european[kept])
    return _finding("7", found, lambda low, _: low > 0 and p < ALPHA, lambda _, high: high < STRENGTH, p=p)


def triangle(e: Evidence) -> Replicated:
    """Mean transferability from richer to poorer languages minus that from poorer to richer ones."""
    return e.accuracy.of(lambda a: one_way(a, e.ranks).total)


def triangular(e: Evidence) -> Finding:
    """Claim F4: the triangle."""
    if why := _unasked(e, languages=SEVERAL):
        return Finding("F4", why=why)
    found = triangle(e)
    p = triangle_p(e.accuracy.value, scaled(e.ranks), e.european)
    return _finding("F4", found, lambda low, _: low > 0 and p < ALPHA, lambda _, high: high < TRIANGLE, p=p)


def gained(e: Evidence) -> Finding:
    """Claim F4': mean transferability inside the triangle."""
    if why := _unasked(e):
        return Finding("F4'", why=why)
    richer = e.ranks[:, None] < e.ranks[None, :]
    found = e.accuracy.of(lambda a: (a - np.diagonal(a, axis1=-2, axis2=-1)[..., None, :])[..., richer].mean(axis=-1))
    return _finding("F4'", found, lambda low, _: low > 0, lambda _, high: high < 0)


def multilingual(claim: str, fewer: Replicated, more: Replicated, sign: int) -> Finding:
    """Claim M: a statistic of the more multilingual model minus that of the other, the paper reporting this `sign`."""
    difference = more.minus(fewer)

    def holds(low: float, high: float) -> bool:
        return low > 0 if sign > 0 else high < 0

    def fails(low: float, high: float) -> bool:
        return (high < 0 if sign > 0 else low > 0) or (low > -SAME and high < SAME)

    return _finding(claim, difference, holds, fails)


SINGLE = (encoded, beyond_surface, inconsistent, related, distorted, teaching, symmetric, stronger, triangular, gained)


def judge(e: Evidence) -> list[Finding]:
    """Findings on all claims about one concept of one model; few situations have a spread that misleads."""
    if (n := len(e.accuracy.replicates)) < SITUATIONS:
        why = f"it takes {SITUATIONS} situations, and there are {n}"
        return [Finding(claim, why=why) for claim in CLAIMS if claim not in (*OF_TWO, *OF_CONTROL)]
    return [rule(e) for rule in SINGLE]

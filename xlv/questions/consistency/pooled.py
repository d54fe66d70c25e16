"""Pooled consistency ρ: how alike the concept vectors of the readable languages are, without the noise of few pairs."""

from dataclasses import dataclass

import numpy as np

from xlv.questions.consistency.moments import Moments
from xlv.statistics.jackknife import Replicated


@dataclass(frozen=True)
class Pooled:
    """ρ = Σ w_s w_t ⟨μ_s, μ_t⟩ / Σ ½ (w_s² N_s + w_t² N_t) over pairs of readable languages, as its two sums.

    The ratio is consistent and not unbiased, so that decisions rest on `contrast`.
    """

    above: Replicated
    below: Replicated

    @property
    def rho(self) -> float:
        """The ratio; NaN without readable languages."""
        return float(self.above.value / self.below.value) if self.below.value > 0 else float("nan")

    def contrast(self, level: float) -> Replicated:
        """D = numerator − level × denominator: below 0 where ρ is below the level."""
        return self.above.minus(self.below.of(lambda b: level * b))

    def linearised(self) -> Replicated:
        """ρ with replicates to first order, for intervals and for differences between models."""
        return self.contrast(self.rho).of(lambda d: d / self.below.value).plus(self.rho)


def pooled(found: Moments) -> Pooled:
    """ρ of some moments, both halves together; each half has its own readable languages."""
    above, below = np.zeros((2, 2, *found.products[0].value.shape))
    for half, weights in enumerate(found.weights):
        marks, w = np.isfinite(weights), np.nan_to_num(weights)
        both = np.outer(marks, marks) & ~np.eye(len(w), dtype=bool)
        above[half] = np.outer(w, w) * both
        below[half] = np.diag(w**2 * both.sum(axis=1))
    n = max(1, int(sum(np.isfinite(w).sum() * (np.isfinite(w).sum() - 1) for w in found.weights)))
    return Pooled(found.linear(above / n), found.linear(below / n))

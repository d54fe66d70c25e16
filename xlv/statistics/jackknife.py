"""Uncertainty over situations by the delete-block jackknife: each block of situations is left out in turn.

The jackknife counts what two blocks do together twice, so that it overstates the variance of what trains and tests on
the same pairs up to twofold. Efron and Stein (1981) take the surplus off; random signs let one do so for any linear
combination of stored statistics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from xlv.statistics.resampling import LEVEL, wilson

BLOCKS, DRAWS = 32, 32
_LEAST = 0.5  # of the jackknife's variance: all of it is surplus counted twice


def blocks(groups: np.ndarray, n_blocks: int = BLOCKS, seed: int = 0) -> np.ndarray:
    """Block `[pair]` of each pair: whole situations, dealt at random in equal shares to `n_blocks` blocks at most."""
    n_groups = int(groups.max()) + 1
    of_group = np.empty(n_groups, dtype=int)
    of_group[np.random.default_rng(seed).permutation(n_groups)] = np.arange(n_groups) % min(n_blocks, n_groups)
    return of_group[groups]


def surplus(together: np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """What blocks do two by two, summed with random signs, `[draw, …]`: its mean square is the jackknife's surplus.

    `together` `[block, block, …]` is what a statistic owes to the presence of one block in training and another in
    testing; its diagonal is not read. Fewer than four blocks have no surplus that could be known.
    """
    n = len(together)
    if n < 4:
        return np.zeros((draws, *together.shape[2:]))
    off = ~np.eye(n, dtype=bool).reshape(n, n, *[1] * (together.ndim - 2))
    both = np.where(off, together + together.swapaxes(0, 1), 0.0)
    total = both.sum(axis=(0, 1)) / (n * (n - 1))
    alone = (both.sum(axis=1) / (n - 1) - total) * (n - 1) / (n - 2)  # of each block, whatever the other
    pure = both - total - alone[:, None] - alone[None, :]
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, n * (n - 1) // 2))
    return np.tensordot(signs, pure[np.triu_indices(n, k=1)], axes=1)


@dataclass(frozen=True)
class Replicated:
    """A statistic with what its uncertainty follows from; linear combinations of it keep all three.

    value       `[…]`
    replicates  `[block, …]` the same with one block of situations left out of training and testing
    excess      `[draw, …]`  see `surplus`; None: the jackknife's variance is taken as it is
    """

    value: np.ndarray
    replicates: np.ndarray
    excess: np.ndarray | None = None

    def of(self, linear: Callable[[np.ndarray], np.ndarray]) -> Self:
        """A linear statistic of the last axes of this one."""
        excess = None if self.excess is None else linear(self.excess)
        return Replicated(linear(self.value), linear(self.replicates), excess)

    def minus(self, other: Self) -> Self:
        """The paired difference from a statistic of the same blocks; one without excess is taken to have none."""
        excess = None if self.excess is None and other.excess is None else 0.0
        for part, sign in ((self.excess, 1.0), (other.excess, -1.0)):
            excess = excess if part is None else excess + sign * part
        return Replicated(self.value - other.value, self.replicates - other.replicates, excess)

    def plus(self, constant: float) -> Self:
        """This statistic moved by a constant."""
        return Replicated(self.value + constant, self.replicates + constant, self.excess)

    def standard_error(self) -> np.ndarray:
        """Standard error: the jackknife's, less the surplus, which is half its variance at most."""
        n = len(self.replicates)
        jackknife = (n - 1) / n * np.square(self.replicates - self.replicates.mean(axis=0)).sum(axis=0)
        more = 0.0 if self.excess is None else np.square(self.excess).mean(axis=0)
        return np.sqrt(np.maximum(jackknife - more, _LEAST * jackknife))

    def quantile(self, level: float) -> float:
        """Student's quantile by which an interval of this level exceeds the standard error on either side.

        A variance that the surplus was taken off is known half as well: half the degrees of freedom.
        """
        freedom = len(self.replicates) - 1
        return float(student.ppf((1 + level) / 2, freedom if self.excess is None else freedom / 2))

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Interval about the value."""
        half = self.quantile(level) * self.standard_error()
        return self.value - half, self.value + half

    def share_interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Interval of a share: Wilson's for as many trials as give this standard error; within 0 and 1.

        Without any error to go by (a share of 0 or 1), each block counts as one trial.
        """
        error, inner = np.asarray(self.standard_error()), np.asarray(self.value * (1 - self.value))
        blank = np.full(inner.shape, float(len(self.replicates)))
        trials = np.divide(inner, error**2, out=blank, where=(error > 0) & (inner > 0))
        return wilson(self.value, trials, self.quantile(level))

    def detectable(self, level: float = LEVEL, power: float = 0.8) -> np.ndarray:
        """Smallest effect that a test at this level would have found in this share of cases."""
        return (self.quantile(level) + norm.ppf(power)) * self.standard_error()


def total(parts: Sequence[Replicated]) -> Replicated:
    """The sum of statistics of different situations: their variances add up. All have an excess, or none."""
    value, n = sum(part.value for part in parts), sum(len(part.replicates) for part in parts)
    rows = []
    for part in parts:  # deviations, at which a jackknife over the blocks of all adds the variances
        own = len(part.replicates)
        scale = np.sqrt((own - 1) / own * n / (n - 1))
        rows.append(scale * (part.replicates - part.replicates.mean(axis=0)) + value)
    excess = None if parts[0].excess is None else sum(part.excess for part in parts)
    return Replicated(value, np.concatenate(rows), excess)

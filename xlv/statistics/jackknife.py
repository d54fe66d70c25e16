"""Uncertainty over situations by the delete-block jackknife: each block of situations is left out in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import t as student

from xlv.statistics.resampling import LEVEL

BLOCKS = 32


def blocks(groups: np.ndarray, n_blocks: int = BLOCKS, seed: int = 0) -> np.ndarray:
    """Block `[pair]` of each pair: whole situations, dealt at random in equal shares to `n_blocks` blocks at most."""
    n_groups = int(groups.max()) + 1
    of_group = np.empty(n_groups, dtype=int)
    of_group[np.random.default_rng(seed).permutation(n_groups)] = np.arange(n_groups) % min(n_blocks, n_groups)
    return of_group[groups]


@dataclass(frozen=True)
class Replicated:
    """A statistic `value` `[…]` and its `replicates` `[block, …]`, each with one block of situations left out."""

    value: np.ndarray
    replicates: np.ndarray

    def of(self, statistic: Callable[[np.ndarray], np.ndarray]) -> Self:
        """A statistic of the last axes of this one."""
        return Replicated(statistic(self.value), statistic(self.replicates))

    def minus(self, other: Self) -> Self:
        """The paired difference from a statistic of the same blocks."""
        return Replicated(self.value - other.value, self.replicates - other.replicates)

    @property
    def freedom(self) -> int:
        """Degrees of freedom: blocks less one."""
        return len(self.replicates) - 1

    def standard_error(self) -> np.ndarray:
        """Jackknife standard error; NaN with a block that is not defined."""
        n = len(self.replicates)
        return np.sqrt((n - 1) / n * np.square(self.replicates - self.replicates.mean(axis=0)).sum(axis=0))

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Interval about the value by Student's t."""
        half = student.ppf((1 + level) / 2, self.freedom) * self.standard_error()
        return self.value - half, self.value + half

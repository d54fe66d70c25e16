"""Transferability: does another language's vector read a language better than its own, and in which direction?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


def transferability(accuracy: np.ndarray) -> np.ndarray:
    """T = Acc[source → target] − Acc[target → target], `[…, source, target]` (section 3.4); zero on the diagonal.

    An array or a labelled array with these axes last gives one of the same kind, a dataset of `recognition` that of its
    accuracies, several by model one each. Raises ValueError for anything else.
    """
    if isinstance(accuracy, Mapping) and "accuracy" not in accuracy:
        return {name: transferability(each) for name, each in accuracy.items()}
    accuracy = accuracy["accuracy"] if isinstance(accuracy, Mapping) else accuracy
    values, axes = np.asarray(accuracy), getattr(accuracy, "dims", ("source", "target"))[-2:]
    if values.ndim < 2 or values.shape[-1] != values.shape[-2] or axes != ("source", "target"):
        raise ValueError(f"expected accuracies [source, target], the same languages twice, got shape {values.shape}")
    own = np.diagonal(values, axis1=-2, axis2=-1)
    return accuracy - own[..., None, :]


@dataclass(frozen=True)
class OneWay:
    """How one-sided transfer is, from higher- to lower-resourced languages.

    total      U   = mean of T_ij − T_ji over pairs with i the higher-resourced
    crossing   U_A = mean of A_ij − A_ji: what is left when the targets' own accuracies cancel
    own        U_D = mean of A_ii − A_jj: how much better the higher-resourced read themselves; U = U_A + U_D
    """

    total: np.ndarray
    crossing: np.ndarray
    own: np.ndarray


def one_way(accuracy: np.ndarray, ranks: np.ndarray) -> OneWay:
    """The one-way statistics of accuracies `[…, source, target]`; `ranks` `[language]`, 0 the best. NaN for one."""
    if len(ranks) < 2:
        return OneWay(*[np.full(accuracy.shape[:-2], np.nan)] * 3)
    high, low = np.triu_indices(len(ranks), k=1)
    order = np.argsort(ranks)
    high, low = order[high], order[low]
    crossing = (accuracy[..., high, low] - accuracy[..., low, high]).mean(axis=-1)
    own = (accuracy[..., high, high] - accuracy[..., low, low]).mean(axis=-1)
    return OneWay(crossing + own, crossing, own)


@dataclass(frozen=True)
class Additive:
    """A[s → t] = mean + source[s] + target[t] + rest, off the diagonal, effects summing to zero; least squares."""

    source: np.ndarray
    target: np.ndarray


def additive(accuracy: np.ndarray) -> Additive:
    """The additive model of accuracies `[…, source, target]`: how well each language teaches, and is read.

    The diagonal stays out, so that no language's own accuracy is explained by itself (the difficulty of Appendix H.1:
    T contains Acc of the target, and a regression of one on the other finds it). Effects are NaN below 3 languages.
    """
    n = accuracy.shape[-1]
    if n < 3:
        return Additive(*np.full((2, *accuracy.shape[:-1]), np.nan))
    off = np.where(np.eye(n, dtype=bool), 0.0, accuracy)
    rows, columns = (off.sum(axis=axis) - off.sum(axis=(-2, -1))[..., None] / n for axis in (-1, -2))
    return Additive(*(((n - 1) * one + other) / (n * (n - 2)) for one, other in ((rows, columns), (columns, rows))))

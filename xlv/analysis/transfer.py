"""Transferability: does another language's vector read a language better than its own, and in which direction?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlv.analysis.statistics import bootstrap_weights

N_RESAMPLES = 1000


def accuracy_samples(
    correct: np.ndarray, groups: np.ndarray, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Bootstrap accuracies `[resample, source, target]` of one concept, ids resampled jointly over languages.

    `correct` `[source, target, pair]` is what `recognition` returns; untested pairs (NaN) carry no weight.
    """
    weights = bootstrap_weights(groups, n_resamples, seed)
    tested = np.isfinite(correct)
    sums = np.einsum("rp,stp->rst", weights, np.where(tested, correct, 0.0), optimize=True)
    counts = np.einsum("rp,stp->rst", weights, tested.astype(float), optimize=True)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def transferability(accuracy: np.ndarray) -> np.ndarray:
    """T = Acc[source → target] − Acc[target → target], `[…, source, target]` (section 3.4); zero on the diagonal."""
    own = np.diagonal(accuracy, axis1=-2, axis2=-1)
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
    """The one-way statistics of accuracies `[…, source, target]`; `ranks` `[language]`, 0 the best resourced."""
    high, low = np.triu_indices(len(ranks), k=1)
    order = np.argsort(ranks)
    high, low = order[high], order[low]
    crossing = (accuracy[..., high, low] - accuracy[..., low, high]).mean(axis=-1)
    own = (accuracy[..., high, high] - accuracy[..., low, low]).mean(axis=-1)
    return OneWay(crossing + own, crossing, own)


def permutation_p(accuracy: np.ndarray, ranks: np.ndarray, *, n_permutations: int = 5000, seed: int = 0) -> float:
    """One-sided p-value of U under permuted language labels (QAP): is transfer one-way *in the resource order*?"""
    observed = float(one_way(accuracy, ranks).total)
    generator = np.random.default_rng(seed)
    permuted = np.array([float(one_way(accuracy, generator.permutation(ranks)).total) for _ in range(n_permutations)])
    return (1 + int((permuted >= observed - 1e-12).sum())) / (1 + n_permutations)

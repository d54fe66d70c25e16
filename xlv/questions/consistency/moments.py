"""Consistency without division: inner products of concept vectors, each estimated without bias.

An inner product of two estimated vectors is too large by what the pairs share; products of different situations only
are not. Layer, weights and the choice of readable languages come from one half of the situations, products from the
other, so that nothing is chosen on what it is judged by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlv.statistics.jackknife import Replicated, blocks, surplus, total
from xlv.statistics.resampling import MIN_GROUPS, group_indices
from xlv.statistics.whitening import whitening

HALF_BLOCKS = 16
READABLE = 0.90  # level of the interval whose lower end must lie above 0


@dataclass(frozen=True)
class Moments:
    """Inner products of the concept vectors of all languages, in two halves of the situations.

    products  per half `[source, target]` with replicates and excess: ⟨μ_s, μ_t⟩; on the diagonal ‖μ_l‖²; unbiased
    weights   `[half, language]` ‖μ_l‖^−1 as the *other* half has it; NaN: not readable there
    """

    products: tuple[Replicated, Replicated]
    weights: np.ndarray

    @property
    def readable(self) -> np.ndarray:
        """Marks `[language]` of the languages that can be read in both halves."""
        return np.isfinite(self.weights).all(axis=0)

    def linear(self, coefficients: np.ndarray) -> Replicated:
        """A linear statistic, Σ over halves, sources and targets of coefficient `[half, source, target]` × product."""
        both = zip(self.products, coefficients, strict=True)
        return total([half.of(lambda m, c=c: np.einsum("...st,st->...", m, c)) for half, c in both])


def inner_products(differences: np.ndarray, groups: np.ndarray, seed: int = 0) -> Replicated:
    """⟨μ_s, μ_t⟩ `[source, target]` of pair differences `[language, pair, d_model]`: a U-statistic over situations.

    The mean of ⟨d_i, d_j⟩ over pairs i, j of different situations; with replicates that leave out a block of them.
    """
    n_languages, n_pairs, _ = differences.shape
    of_pair = blocks(groups, HALF_BLOCKS, seed)
    n_groups, n_blocks = int(groups.max()) + 1, int(of_pair.max()) + 1
    situations = np.zeros((n_groups, n_languages, differences.shape[2]))
    np.add.at(situations, groups, differences.swapaxes(0, 1))
    block = np.empty(n_groups, dtype=int)
    block[groups] = of_pair
    sums = np.zeros((n_blocks, *situations.shape[1:]))
    np.add.at(sums, block, situations)
    within = np.zeros((n_blocks, n_languages, n_languages))  # of a situation with itself
    np.add.at(within, block, np.einsum("gsd,gtd->gst", situations, situations, optimize=True))
    flat = sums.reshape(n_blocks * n_languages, -1)
    between = (flat @ flat.T).reshape(n_blocks, n_languages, n_blocks, n_languages).transpose(0, 2, 1, 3)
    size = np.bincount(groups).astype(float)
    own_size = np.bincount(block, weights=size, minlength=n_blocks)
    square = np.bincount(block, weights=size**2, minlength=n_blocks)
    whole, count = between.sum(axis=(0, 1)) - within.sum(axis=0), n_pairs**2 - square.sum()
    crossing = between.sum(axis=1) + between.sum(axis=0) - between[np.arange(n_blocks), np.arange(n_blocks)]
    rest = whole - crossing + within
    rest_count = (n_pairs - own_size) ** 2 - (square.sum() - square)
    rest_count = np.where(rest_count > 0, rest_count, np.nan)[:, None, None]  # no two situations are left
    return Replicated(whole / count, rest / rest_count, surplus(between / count))


def halves(groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Half `[pair]`, 0 or 1, that each pair's situation is dealt to; ValueError for fewer than four situations."""
    if (n_groups := int(groups.max()) + 1) < MIN_GROUPS:
        raise ValueError(f"expected pairs of at least {MIN_GROUPS} groups to halve, got {n_groups}")
    return blocks(groups, 2, seed + 1)


def best_layers(scores: Sequence[Sequence[float]]) -> list[int]:
    """Layer 1 … L of each half by its scores `[layer, half]`; layer L, behind the final norm, is not eligible."""
    return [int(layer) + 1 for layer in np.argmax(scores[: max(1, len(scores) - 1)], axis=0)]


def moments(halved: Sequence[np.ndarray], groups: np.ndarray, seed: int = 0, *, whiten: bool = False) -> Moments:
    """The moments of pair differences `[language, pair, d_model]`, one array for each half, at that half's layer.

    `groups` `[pair]` are the situations of all pairs. With `whiten` vectors are whitened by the covariance that the
    other half has there. Raises ValueError for situations too few to halve.
    """
    of_half, products = halves(groups, seed), []
    for half, differences in enumerate(halved):
        inside = of_half == half
        here = differences[:, inside]
        here = whitening(differences[:, ~inside])(here) if whiten else here
        size = np.sqrt(np.square(here, dtype=np.float64).sum(axis=-1).mean(axis=1))  # so that no language outweighs
        here = here / np.where(size > 0, size, 1.0)[:, None, None]
        products.append(inner_products(here, group_indices(groups[inside]), seed))
    return Moments(tuple(products), _weights(products))


def _weights(products: Sequence[Replicated]) -> np.ndarray:
    """‖μ_l‖⁻¹ `[half, language]` as the other half has it, where its square lies above 0; else NaN."""
    weights = np.full((2, len(products[0].value)), np.nan)
    for half, other in enumerate(reversed(products)):
        norms = other.of(lambda m: np.diagonal(m, axis1=-2, axis2=-1))
        known = norms.interval(READABLE)[0] > 0
        weights[half, known] = norms.value[known] ** -0.5
    return weights


def as_arrays(found: Moments) -> dict[str, np.ndarray]:
    """Moments as they are stored, by name; `read_moments` makes Moments of them."""
    padded = np.full((2, HALF_BLOCKS, *found.products[0].value.shape), np.nan)
    for rows, half in zip(padded, found.products, strict=True):
        rows[: len(half.replicates)] = half.replicates
    return {
        "moment": np.stack([half.value for half in found.products]),
        "moment_replicate": padded,
        "moment_surplus": np.stack([half.excess for half in found.products]),
    }


def read_moments(moment: np.ndarray, replicate: np.ndarray, excess: np.ndarray) -> Moments:
    """Moments of what `as_arrays` made of them."""
    known = np.isfinite(replicate[..., 0, 0])
    known[:, 0] = True  # of two situations in a half none can be left out: one row, which knows nothing
    parts = [Replicated(m, r[k], e) for m, r, k, e in zip(moment, replicate, known, excess, strict=True)]
    return Moments(tuple(parts), _weights(parts))

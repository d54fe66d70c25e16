"""What a fold trains on, the layer that it chooses, and the products of its vectors with held-out pairs."""

from collections.abc import Iterator, Sequence

import numpy as np

from xlv.statistics.vectors import Layers

N_FOLDS = 8


def training_pairs(folds: np.ndarray, limit: int | None = None, seed: int = 0) -> np.ndarray:
    """Which pairs train each fold, `[partition, fold, pair]`: all others, or `limit` of them drawn at random."""
    train = folds[:, None, :] != np.arange(int(folds.max()) + 1)[None, :, None]
    if limit is None:
        return train
    order = np.random.default_rng(seed).random(train.shape)
    rank = np.where(train, order, np.inf).argsort(axis=-1).argsort(axis=-1)
    return rank < limit


def own_margins(gram: np.ndarray, train: np.ndarray, groups: np.ndarray, signs: np.ndarray | float = 1.0) -> np.ndarray:
    """Margins `[source, …, pair]` of a source's pairs on its own training pairs, `train` `[…, pair]`, of other groups.

    `gram` `[source, pair, pair]` holds a source's own inner products; `signs` of ±1, broadcast to `train`, flip labels.
    """
    apart = (groups[:, None] != groups).astype(np.float32)
    counts = train @ apart
    sums = np.matmul((train * signs).astype(np.float32).reshape(-1, len(groups)), gram * apart)
    sums = sums.reshape(len(gram), *train.shape)
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0) * np.float32(signs)


def selection_scores(
    gram: np.ndarray, train: np.ndarray, groups: np.ndarray, signs: np.ndarray | float = 1.0
) -> np.ndarray:
    """Standardised inner margin `[source, …]`: each training pair is read by the others of other groups.

    Accuracy inside the training pairs saturates and ties; the mean margin over its deviation does not. Arguments are
    those of `own_margins`.
    """
    inner, count = own_margins(gram, train, groups, signs), train.sum(axis=-1)
    mean = (inner * train).sum(axis=-1) / count
    spread = np.sqrt((np.square(inner - mean[..., None]) * train).sum(axis=-1) / count)
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 0)


def chosen_layers(
    grams: Sequence[np.ndarray], train: np.ndarray, groups: np.ndarray, signs: np.ndarray | float = 1.0
) -> np.ndarray:
    """The layer, 1 … L, of the best `selection_scores`, `[partition, fold, source]`; layer L is not eligible."""
    scores = [selection_scores(gram, train, groups, signs) for gram in grams[: max(1, len(grams) - 1)]]
    return np.moveaxis(np.argmax(scores, axis=0), 0, -1) + 1


def products(vectors: np.ndarray, differences: np.ndarray, pairs: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Inner products `[…, target, pair]` of vectors `[…, d_model]` and these pairs of `[target, pair, d_model]`.

    The pairs are copied to `room`, as large as the differences: new memory each time would cost more than the products.
    """
    shape = len(differences), len(pairs), differences.shape[-1]
    some = room.reshape(-1)[: np.prod(shape)].reshape(shape)
    np.take(differences, pairs, axis=1, out=some, mode="clip")
    flat = vectors.reshape(-1, vectors.shape[-1]) @ some.reshape(-1, some.shape[-1]).T
    return flat.reshape(*vectors.shape[:-1], *some.shape[:2])


def chosen_products(
    differences: Layers, folds: np.ndarray, choice: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """What the sources' weighted sums of training pairs give on the pairs of each fold, at the layers of `choice`.

    `differences(layer)` gives `[language, pair, d_model]`; `rows` `[partition, fold, row, pair]` weigh training pairs.
    Yields the partition, the sources that chose the same layer, the fold's pairs, and the inner products
    `[source, row, target, pair]`; one layer is in memory at a time.
    """
    for layer in np.unique(choice):
        here = np.ascontiguousarray(differences(int(layer)), dtype=np.float32)  # or `take` copies all of it each time
        room = np.empty_like(here)
        for p, fold in np.argwhere((choice == layer).any(axis=-1)):
            sources, test = np.flatnonzero(choice[p, fold] == layer), np.flatnonzero(folds[p] == fold)
            sums = np.matmul(rows[p, fold].astype(np.float32), here[sources])
            yield p, sources, test, products(sums, here, test, room)

"""Texts laid out in rows, rows in batches: what begins alike is computed once, and little is padding."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

import torch

# Attention in a row grows with the square of its width, so that only texts that share much fill a row to the last
# token, others half of it. Of these widths, that is taken whose batches cost least: with few texts, all depends on how
# they happen to fit.
_WIDTHS = range(64, 208, 8)
_PASS, _PAIR = 32, 1 / 700  # what a pass costs, and what a token for each token of its row, in tokens; on a small model

Ids = Sequence[Sequence[int]]
Row = list[int]  # indices of its texts
Layout = Callable[[Ids, Sequence[int], int], Iterator[Row]]


class Sheet(NamedTuple):
    """Rows of texts as a model's input.

    `inputs` are the keyword arguments of a forward pass; the tokens of `texts[i]` stand in `rows[i]` at `paths[i]`.
    """

    inputs: dict[str, torch.Tensor]
    texts: list[int]
    rows: list[int]
    paths: list[list[int]]


def one_a_row(ids: Ids, texts: Sequence[int], _width: int) -> Iterator[Row]:
    """Each text in a row of its own."""
    return ([i] for i in texts)


def many_a_row(ids: Ids, texts: Sequence[int], width: int) -> Iterator[Row]:
    """Texts in rows, neighbours in token order, so that those that begin alike meet.

    A row holds `width` tokens of texts that share half of theirs or more with the one before, else half as many.
    """
    row: Row = []
    used = 0
    for i in sorted(texts, key=lambda i: ids[i]):
        shared = shared_tokens(ids[row[-1]], ids[i]) if row else 0
        new = len(ids[i]) - shared
        if row and used + new > (width if 2 * shared >= len(ids[i]) else width // 2):
            yield row
            row, used, new = [], 0, len(ids[i])
        row.append(i)
        used += new
    if row:
        yield row


def shared_tokens(one: Sequence[int], other: Sequence[int]) -> int:
    """Number of tokens two texts have in common from the start."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _size(ids: Ids, row: Row) -> int:
    """Tokens of a row, each shared beginning counted once."""
    lengths = (len(ids[i]) for i in row)
    return sum(lengths) - sum(shared_tokens(ids[a], ids[b]) for a, b in pairwise(row))


def padded_size(ids: Ids, batch: list[Row]) -> int:
    """Tokens of a batch with its padding."""
    return max(_size(ids, row) for row in batch) * len(batch)


def batches(
    ids: Ids, texts: Sequence[int], budget: int, layout: Layout = one_a_row, multiple: int = 1, padded: bool = True
) -> Iterator[list[Row]]:
    """Batches of rows of near-equal length whose padded size stays within `budget` tokens, where a text allows it.

    For several to run at a time, they are as even as their number, rounded up to a `multiple`, allows. Where nothing
    may be `padded`, all rows of a batch are of one length.
    """
    found, least = ([], []), inf
    for width in _WIDTHS if layout is many_a_row else _WIDTHS[:1]:
        rows = sorted(layout(ids, texts, min(width, budget)), key=lambda row: _size(ids, row))
        sizes = [_size(ids, row) for row in rows]
        cuts = pairwise([0, *_cuts(sizes, budget, padded)])
        cost = sum(_PASS + sizes[stop - 1] * (stop - start) * (1 + _PAIR * sizes[stop - 1]) for start, stop in cuts)
        if cost < least:
            found, least = (rows, sizes), cost
    rows, sizes = found
    if multiple > 1:
        wanted = -(-len(_cuts(sizes, budget, padded)) // multiple) * multiple
        budget = bisect_left(range(budget), True, lo=1, key=lambda least: len(_cuts(sizes, least, padded)) <= wanted)
    for start, stop in pairwise([0, *_cuts(sizes, budget, padded)]):
        yield rows[start:stop]


def _cuts(sizes: Sequence[int], budget: int, padded: bool) -> list[int]:
    """Where batches of rows of these ascending sizes end, each of at most `budget` tokens with its padding."""
    ends, start = [], 0
    for index, size in enumerate(sizes):
        if index > start and (size * (index + 1 - start) > budget or size > sizes[start] and not padded):
            ends.append(index)
            start = index
    return [*ends, len(sizes)] if sizes else []


def sheet(ids: Ids, batch: list[Row], pad: int, like: torch.Tensor) -> Sheet:
    """The rows as input of a model whose weights are `like` in dtype and device.

    A row is a tree: a token that several of its texts begin with stands there once, sees only what comes before it in
    its own texts, and keeps its place in them. Rows of one text are padded on the right, where causal attention cannot
    see the padding, and need no mask.
    """
    sizes = [_size(ids, row) for row in batch]
    width = max(sizes)
    tokens = torch.full((len(batch), width), pad)
    places = torch.zeros_like(tokens)
    sees = torch.eye(width, dtype=torch.bool).repeat(len(batch), 1, 1)
    texts, rows, paths = [], [], []
    for r, row in enumerate(batch):
        path: list[int] = []
        used = 0
        for before, i in zip([None, *row], row, strict=False):
            shared = 0 if before is None else shared_tokens(ids[before], ids[i])
            new = range(used, used + len(ids[i]) - shared)
            tokens[r, new.start : new.stop] = torch.tensor(ids[i][shared:])
            places[r, new.start : new.stop] = torch.arange(shared, len(ids[i]))
            path[shared:] = new
            sees[r, new.start : new.stop][:, path] = torch.ones(len(new), len(path), dtype=torch.bool).tril(shared)
            used = new.stop
            texts.append(i), rows.append(r), paths.append(path.copy())
    inputs = {"input_ids": tokens.to(like.device)}
    if any(len(row) > 1 for row in batch):
        hidden = torch.zeros(sees.shape, dtype=like.dtype).masked_fill(~sees, torch.finfo(like.dtype).min)
        inputs |= {"attention_mask": hidden[:, None].to(like.device), "position_ids": places.to(like.device)}
    return Sheet(inputs, texts, rows, paths)

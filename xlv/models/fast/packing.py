"""Texts laid out in rows for one forward pass: what begins alike is computed once, and little is padding."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch

from xlv.models.advice import ModelError
from xlv.models.fast.attention import suited_attention
from xlv.models.model import Model
from xlv.statistics.threads import AT_A_TIME, for_each

# Attention in a row grows with the square of its width, so that only texts that share much fill a row to the last
# token, others half of it. On two small models this read faster than rows of 64 or of 96 for all.
ROW_WIDTH = 128
# Tokens a batch: on a processor, so few that its caches hold what passes between two layers; elsewhere, many.
_BUDGETS = {"cpu": 512}
_BUDGET = 16384
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # of CUDA and other devices; of the processor

Ids = Sequence[Sequence[int]]
Row = list[int]  # indices of its texts
Layout = Callable[[Ids, Sequence[int], int], Iterator[Row]]
_attentive: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()  # which networks attend as told


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


def batches(
    ids: Ids, texts: Sequence[int], budget: int, layout: Layout = one_a_row, multiple: int = 1
) -> Iterator[list[Row]]:
    """Batches of rows of near-equal length whose padded size stays within `budget` tokens, where a text allows it.

    For several to run at a time, they are as even as their number, rounded up to a `multiple`, allows.
    """
    rows = sorted(layout(ids, texts, min(ROW_WIDTH, budget)), key=lambda row: _size(ids, row))
    sizes = [_size(ids, row) for row in rows]
    if multiple > 1:
        wanted = -(-len(_cuts(sizes, budget)) // multiple) * multiple
        budget = bisect_left(range(budget), True, lo=1, key=lambda least: len(_cuts(sizes, least)) <= wanted)
    for start, stop in pairwise([0, *_cuts(sizes, budget)]):
        yield rows[start:stop]


def _cuts(sizes: Sequence[int], budget: int) -> list[int]:
    """Where batches of rows of these ascending sizes end, each of at most `budget` tokens with its padding."""
    ends, start = [], 0
    for index, size in enumerate(sizes):
        if index > start and size * (index + 1 - start) > budget:
            ends.append(index)
            start = index
    return [*ends, len(sizes)] if sizes else []


def run_batches(model: Model, ids: Ids, run: Callable[[list[Row]], None], budget: int | None = None) -> None:
    """Call `run` on batches of rows of at most `budget` tokens, None: what suits the device; on a processor from
    several threads at a time.

    Where memory runs out, it goes on with half the budget for all texts that remain: `run` must stand being called
    again on the texts of a batch that failed. Raises ModelError when one text alone is too much.
    """
    device = model.network.device
    budget = budget or _BUDGETS.get(device.type, _BUDGET)
    # Not by the number of threads: batches, and with them rounding, are the same on every machine.
    multiple = AT_A_TIME if device.type == "cpu" else 1
    # Weights that move between devices are moved for one pass at a time.
    alone = device.type != "cpu" or getattr(model.network, "hf_device_map", None)
    threads, inferring = torch.get_num_threads(), torch.is_inference_mode_enabled()  # of this thread only
    turns = 1 if alone else min(threads, AT_A_TIME)
    with suited_attention(model.network):
        layout = layout_for(model, ids)
        texts: Sequence[int] = range(len(ids))
        while texts:
            left: list[list[Row]] = []  # what failed first, and all that did not begin after it

            def read(batch: list[Row], left: list[list[Row]] = left) -> None:
                with torch.inference_mode(inferring):
                    if left or not _fits(run, batch):
                        left.append(batch)

            waiting = list(batches(ids, texts, budget, layout, multiple))
            try:
                for_each(read, waiting, turns, prepare=lambda: torch.set_num_threads(threads // turns))
            finally:
                torch.set_num_threads(threads)  # threads yet to come take over the number set last, in any thread
            if not left:
                return
            texts = list(chain.from_iterable(chain.from_iterable(left)))
            if sum(map(len, left[0])) == 1:
                remedy = "choose --dtype bf16, or --device cpu"
                raise ModelError(f"no memory left for a single text of {len(ids[texts[0]])} tokens: {remedy}")
            budget = max(_size(ids, row) for row in left[0]) * len(left[0]) // 2


def _fits(run: Callable[[list[Row]], None], batch: list[Row]) -> bool:
    """Whether `run` gets through a batch without running out of memory; other errors pass."""
    try:
        run(batch)
        return True
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise
    # Only outside the except clause is the failed batch's memory free to be given back.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


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


def layout_for(model: Model, ids: Ids) -> Layout:
    """How texts may be laid out for this model: many a row where it attends as it is told to, else one a row."""
    config = model.network.config.get_text_config()
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    longest = max(map(len, ids), default=0)
    if any(window is not None and window < longest for window in windows):
        return one_a_row  # the mask of a row would lift the limit to what a layer may see
    if model.network not in _attentive:
        _attentive[model.network] = _attends_as_told(model)
    return many_a_row if _attentive[model.network] else one_a_row


@torch.inference_mode()
def _attends_as_told(model: Model) -> bool:
    """Whether a row of several texts gives what each gives alone: the mask and the places are heeded, to the letter.

    Recurrent models, ALiBi, and attention kernels without masks fail; how is not foreseeable, so any error counts.
    The states are compared with what another beginning does to them, which rounding in no dtype comes near to.
    """
    first, branch, other = ([(7 * k + shift) % 89 + 5 for k in range(12)] for shift in (0, 30, 61))
    like = next(model.network.parameters())

    def state(prefix: list[int], sibling: list[int], moved: int = 0) -> torch.Tensor:
        texts = [prefix + sibling, prefix + other]
        inputs, *_ = sheet(texts, [[0, 1]], 0, like)
        inputs["position_ids"][:, -len(other) :] += moved
        return model.network.base_model(**inputs, use_cache=False).last_hidden_state[0, -1].float()

    try:
        packed = state(first, branch)
        single, *_ = sheet([first + other], [[0]], 0, like)
        alone = model.network.base_model(**single, use_cache=False).last_hidden_state[0, -1].float()
        own = (packed - state([token + 40 for token in first], branch)).norm()
        leak = (packed - state(first, [token + 40 for token in branch])).norm()
        place = (packed - state(first, branch, moved=40)).norm()
    except Exception:
        return False
    return bool(leak < 0.01 * own and place > 1e-4 * own and (packed - alone).norm() < 0.1 * own)

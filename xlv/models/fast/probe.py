"""What a network permits: in which layouts it reads each text as it reads it alone, tried out once on the network."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from threading import Barrier, BrokenBarrierError
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn

from xlv.models.advice import ModelError
from xlv.models.blocks import find_base
from xlv.models.fast.last_tokens import LastTokens, require_finite
from xlv.models.fast.rows import Ids, Row, sheet
from xlv.models.model import Model

_HALVES = (torch.float16, torch.bfloat16)
TOLERANCE = 1e-4  # of the distance between states of different texts; rounding in fp32 stays far below

_known: WeakKeyDictionary[nn.Module, "Permits"] = WeakKeyDictionary()


class Permits(NamedTuple):
    """Which layouts leave every text's states as they are when it is read alone.

    narrow    the last block's MLP given only the tokens that are read
    together  several rows of one length in a pass
    padded    rows of different lengths, padded on the right
    packed    several texts in a row under a mask of their own, common beginnings once
    threads   several passes at a time, in threads
    """

    narrow: bool
    together: bool
    padded: bool
    packed: bool
    threads: bool


@contextmanager
def in_fp32(model: Model) -> Iterator[None]:
    """Let a network compute in fp32 while the context lasts, so that rounding does not hide what leaks.

    Blocks are widened one at a time, while they run: a large model needs memory for one more block, not for a copy.
    """
    tensors = list(chain(model.network.parameters(), model.network.buffers()))
    inside = {id(tensor) for tensor in chain(model.blocks.parameters(), model.blocks.buffers())}
    kept: dict[int, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def widen(key: int, parts: list[torch.Tensor]) -> None:
        kept[key] = [(part, part.data) for part in parts if part.dtype in _HALVES]
        for part, data in kept[key]:
            part.data = data.float()

    def restore(key: int) -> None:
        for part, data in kept.pop(key, ()):
            part.data = data

    with ExitStack() as stack:
        stack.callback(restore, 0)
        widen(0, [tensor for tensor in tensors if id(tensor) not in inside])
        for block in model.blocks:
            own = list(chain(block.parameters(), block.buffers()))
            hook = block.register_forward_pre_hook(lambda module, _in, own=own: widen(id(module), own))
            stack.enter_context(hook)
            hook = block.register_forward_hook(lambda module, _in, _out: restore(id(module)), always_call=True)
            stack.enter_context(hook)
        yield


def same(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether states `[text, layer, d_model]`, or logs `[text, token]`, are the same up to rounding in fp32.

    Differences are held, layer by layer, against those between texts, which are what anything is ever read from.
    """
    beside = [dim for dim in range(wanted.dim()) if dim != 1 or wanted.dim() < 3]
    off, spread = ((part**2).sum(beside).sqrt() for part in (found - wanted, wanted - wanted.roll(1, 0)))
    return bool((off <= TOLERANCE * spread).all())


def permits(model: Model) -> Permits:
    """What a model's network permits, tried out once; ModelError for one whose states cannot be read at all."""
    if model.network not in _known:
        try:
            _known[model.network] = _tried(model)
        except RuntimeError:  # no memory to try it in fp32, or weights that know no other dtype than theirs
            _known[model.network] = Permits(*[False] * len(Permits._fields))
    return _known[model.network]


@torch.no_grad()
def _tried(model: Model) -> Permits:
    """Reads three texts alone, in fp32, then in every layout: what fails or differs, for whatever reason, is off."""
    size = model.network.get_input_embeddings().weight.shape[0]
    starts = ((5, 12), (35, 12), (66, 12), (19, 29))
    first, branch, other, longer = ([(7 * k + start) % 89 % size for k in range(tokens)] for start, tokens in starts)
    ids = [first + branch, first + other, longer]

    def states(batch: list[Row], places: Sequence[int] | None = None, narrow: bool = False) -> torch.Tensor:
        inputs, texts, rows, paths = sheet(ids, batch, model.tokenizer.pad_token_id or 0, like)
        with LastTokens(model, narrow=narrow) as last:
            if places is not None:
                return last.read(inputs, [0] * len(places), list(places)).float()
            found = last.read(inputs, rows, [path[-1] for path in paths])
        return found[torch.tensor(texts).argsort()].float()

    def holds(*batches: list[Row], narrow: bool = False) -> bool:
        try:
            return same(torch.cat([states(batch, narrow=narrow) for batch in batches]), alone)
        except Exception:
            return False

    with in_fp32(model):
        like = next(model.network.parameters())
        alone = torch.cat([states([[i]]) for i in range(3)])
        require_finite(model, alone)
        if not holds([[0]], [[1]], [[2]]):
            raise ModelError(f"{model.name} keeps something of one text for the next: not a model xlv can read")
        if not same(states([[0]], range(len(first))), states([[1]], range(len(first)))):
            fault = f"{model.name} is not a decoder-only model: in it a later token moves the states of earlier ones"
            raise ModelError(f"{fault}, as in a bidirectional model")
        narrow = holds([[0]], [[1]], [[2]], narrow=True)
        together = holds([[0], [1]], [[2]])
        padded = together and holds([[0], [1], [2]])
        packed = padded and holds([[0, 1], [2]])
    return Permits(narrow, together, padded, packed, model.network.device.type == "cpu" and _in_step(model, ids))


def _in_step(model: Model, ids: Ids) -> bool:
    """Whether two threads whose passes go in step, from one module to the next, read what each reads by itself."""
    base, like, threads = find_base(model.network), next(model.network.parameters()), torch.get_num_threads()
    gate: Barrier | None = None

    def wait(*_given) -> None:
        with suppress(BrokenBarrierError):
            gate and gate.wait()

    def read(i: int) -> torch.Tensor:
        try:
            with torch.no_grad():
                return base(**sheet(ids, [[i]], 0, like).inputs, use_cache=False).last_hidden_state
        finally:
            gate and gate.abort()  # whoever is left goes on alone

    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)  # threads yet to come take over what was set last, in any
        pool = stack.enter_context(ThreadPoolExecutor(2, initializer=lambda: torch.set_num_threads(1)))
        for module in model.blocks.modules():
            stack.enter_context(module.register_forward_pre_hook(wait))
        try:
            alone = [pool.submit(read, i).result() for i in range(3)]
            for pair in ((0, 1), (0, 2)):
                gate = Barrier(2)
                if not all(torch.equal(alone[i], found) for i, found in zip(pair, pool.map(read, pair), strict=True)):
                    return False
        except Exception:
            return False
    return True

"""What a network permits: in which layouts it reads each text as it reads it alone, tried out once on the network."""

from collections.abc import Iterable, Iterator
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
from xlv.models.steering import SHUT, acting_on

_HALVES = (torch.float16, torch.bfloat16)
_BEGIN = 12  # tokens that two of the texts tried begin with
TOLERANCE = 2e-5  # of the distance between states of different texts; rounding in fp32 makes some 1e-6 of it

known: WeakKeyDictionary[nn.Module, "Permits"] = WeakKeyDictionary()  # what has been tried out


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
    """Let a network below its head compute in fp32 while the context lasts, so that rounding does not hide what leaks.

    Blocks are widened one at a time, while they run, and of embeddings only what they give: a large model needs memory
    for one more block, not for a copy.
    """
    kept: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def widen(module: nn.Module, parts: Iterable[torch.Tensor]) -> None:
        kept[module] = [(part, part.data) for part in parts if part.dtype in _HALVES]
        for part, data in kept[module]:
            part.data = data.float()

    def restore(module: nn.Module, *_given) -> None:
        for part, data in kept.pop(module, ()):
            part.data = data

    base = find_base(model.network)
    tables = [module for module in base.modules() if isinstance(module, nn.Embedding)]
    apart = {id(part) for module in (*model.blocks, *tables) for part in _tensors(module)}
    with ExitStack() as stack:
        stack.callback(restore, base)
        widen(base, [part for part in _tensors(base) if id(part) not in apart])
        for table in tables:
            stack.enter_context(table.register_forward_hook(lambda _module, _in, output: output.float()))
        for block in model.blocks:
            hook = block.register_forward_pre_hook(lambda module, _in: widen(module, _tensors(module)))
            stack.enter_context(hook)
            stack.enter_context(block.register_forward_hook(restore, always_call=True))
        yield


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return chain(module.parameters(), module.buffers())


def same(found: torch.Tensor, wanted: torch.Tensor, among: torch.Tensor | None = None) -> bool:
    """Whether states `[text, layer, d_model]`, or logs `[text, token]`, are the same up to rounding in fp32.

    Differences are held, layer by layer, against those between texts, `among` all of them (default: the wanted ones):
    they are what anything is ever read from.
    """
    among = wanted if among is None else among
    beside = [0, -1] if wanted.dim() > 2 else [0]
    off = (found - wanted).square().mean(beside)
    return bool((off <= TOLERANCE**2 * (among - among.roll(1, 0)).square().mean(beside)).all())


def permits(model: Model) -> Permits:
    """What a model's network permits, tried out once; ModelError for one whose states cannot be read at all."""
    if model.network not in known:
        try:
            with acting_on(model, SHUT):
                known[model.network] = _tried(model)
        except RuntimeError:  # no memory to try it in fp32, or weights that know no other dtype than theirs
            known[model.network] = Permits(*[False] * len(Permits._fields))
    return known[model.network]


@torch.no_grad()
def _tried(model: Model) -> Permits:
    """Reads four texts alone, in fp32, then in every layout: what fails or differs, for whatever reason, is off."""
    starts = ((5, _BEGIN), (35, 12), (66, 12), (19, 24), (50, 29))
    first, *rest = ([(7 * k + start) % 89 % model.rows for k in range(tokens)] for start, tokens in starts)
    ids = [first + rest[0], first + rest[1], *rest[2:]]
    like = torch.empty(0, device=find_base(model.network).device)

    def states(batch: list[Row], narrow: bool = False) -> torch.Tensor:
        """States of the texts' last tokens, or of the beginning and the last token of one text alone."""
        inputs, texts, rows, paths = sheet(ids, batch, model.pad_id, like)
        places = [path[-1] for path in paths]
        if len(texts) == 1 and not narrow:
            rows, places = [0] * (_BEGIN + 1), [*range(_BEGIN), *places]
        with LastTokens(model, narrow=narrow) as last:
            found = last.read(inputs, rows, places).float()
        return found if len(texts) == 1 else found[torch.tensor(texts).argsort()]

    def holds(*batch: Row, narrow: bool = False) -> bool:
        try:
            found = states(list(batch), narrow)
        except Exception:
            return False
        return same(found, wanted[sorted(chain.from_iterable(batch))], wanted)

    with in_fp32(model):
        alone = [states([[i]]) for i in range(len(ids))]
        require_finite(model, torch.cat(alone))
        wanted = torch.stack([found[-1] for found in alone])
        if not same(states([[0]]), alone[0]):
            raise ModelError(f"{model.name} keeps something of one text for the next: not a model xlv can read")
        if not same(alone[0][:_BEGIN], alone[1][:_BEGIN]):
            fault = f"{model.name} is not a decoder-only model: in it a later token moves the states of earlier ones"
            raise ModelError(f"{fault}, as in a bidirectional model")
        padded = holds([0], [2], [3])
        together = padded or holds([0], [2])
        packed = padded and holds([0, 1, 2], [3])
        narrow = holds([0], narrow=True)
    return Permits(narrow, together, padded, packed, like.device.type == "cpu" and _in_step(model, [ids[0], ids[2]]))


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
            alone = [pool.submit(read, i).result() for i in range(2)]
            gate = Barrier(2)
            return all(map(torch.equal, alone, pool.map(read, range(2))))
        except Exception:
            return False

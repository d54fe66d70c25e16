"""Prompts read once, and read on behind: in the quickest way in which a network reads each as it reads it alone."""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from copy import deepcopy
from enum import IntEnum
from weakref import WeakKeyDictionary

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer
from transformers.utils import ModelOutput

from xlv.models.blocks import find_base
from xlv.models.fast.packing import layout_for, window_of
from xlv.models.fast.probe import TOLERANCE, in_fp32
from xlv.models.fast.rows import one_a_row, shared_tokens, sheet
from xlv.models.model import Model
from xlv.models.steering import OPEN, SHUT, acting_on

_LOGITS = 2**27  # held at once while openings are read, prompts × tokens × vocabulary: 256 MB in two bytes each
_PREFIX = 8  # tokens from which on a beginning that prompts share is read apart, its keys and values repeated
_BY_ROW = DynamicLayer, DynamicSlidingWindowLayer  # caches of which a row can be replaced
_ROUNDING = 0.02  # of how far a state's values lie apart: what quantised weights, always in half precision, lose

Ids = Sequence[list[int]]
Read = tuple[torch.Tensor, Cache | None]


class Way(IntEnum):
    """How prompts are read in a batch, the quickest way first.

    SHARED  padding stands behind what all begin with, which is read once; the cache is cropped back after reading on
    FRONT   padding stands in front of everything; the cache is cropped back
    COPIED  padding stands in front of everything; a copy of the cache is read on, one token at a time
    ALONE   each prompt is read by itself, without a cache: what any network permits
    """

    SHARED, FRONT, COPIED, ALONE = range(4)


_known: WeakKeyDictionary[nn.Module, dict[Way, bool]] = WeakKeyDictionary()


def padded(model: Model, ids: Ids, *, front: bool = False) -> tuple[dict[str, torch.Tensor], int]:
    """Token ids and attention mask `[prompt, token]` of prompts that end together, and how many tokens all begin with.

    Padding stands right behind that common beginning; with `front` in front of everything, and nothing is common.
    """
    shared = min(shared_tokens(ids[0], row) for row in ids)
    shared = 0 if front else min(shared, min(map(len, ids)) - 1)  # each prompt keeps a token of its own to be read last
    width = max(map(len, ids))
    rows = torch.tensor([row[:shared] + [model.pad_id] * (width - len(row)) + row[shared:] for row in ids])
    mask = torch.tensor([[1] * shared + [0] * (width - len(row)) + [1] * (len(row) - shared) for row in ids])
    return {"input_ids": rows.to(model.network.device), "attention_mask": mask.to(model.network.device)}, shared


class Prefilled:
    """Prompts, as token ids, behind which one can read on; `first` is the log-probability `[prompt, token]` of what
    follows each. Ask for `logs` before `completed`, which consumes the KV cache.
    """

    def __init__(self, model: Model, ids: Ids, way: Way, begun: Cache | None = None) -> None:
        """Read prompts; `begun` are keys and values of what all begin with, where they have been read before."""
        self.model, self.ids, self.way = model, list(ids), way
        self.steered = SHUT.repeat(len(ids))  # rows on which a gated steering acts
        if way is not Way.ALONE:
            self.inputs, self.shared = padded(model, ids, front=way > Way.SHARED)
            self.positions = (self.inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        states = []
        with acting_on(model, SHUT) as gate, gate.watch(states) if gate else nullcontext():
            self.first, self.cache = self._read([*range(len(ids))], SHUT, begun)
        if gate:  # of a beginning read apart, the last token is no prompt's
            self.steered = gate.opens(torch.cat(states)[-len(ids) :])
            self._read_open()

    def _read_open(self) -> None:
        """Read the prompts that a gate opened for again, steered, in the places that they have in the batch.

        Where a row of the cache cannot be replaced, as in recurrent networks, the whole batch is read again.
        """
        opened = self.steered.nonzero()[:, 0].tolist()
        layers = [] if self.cache is None else getattr(self.cache, "layers", [None])
        if opened and not all(type(layer) in _BY_ROW and layer.is_initialized for layer in layers):
            self.shared = 0  # of a beginning that is steered for some only, nothing is shared
            self.first, self.cache = self._read([*range(len(self.ids))], self.steered)
        elif opened:
            self.first[opened], cache = self._read(opened, OPEN)
            for old, new in zip(layers, cache.layers if cache else [], strict=True):
                old.keys[opened], old.values[opened] = new.keys, new.values

    def _read(self, rows: list[int], steered: torch.Tensor, begun: Cache | None = None) -> Read:
        """Log-probabilities of what follows some prompts, and their keys and values, in their places."""
        if self.way is Way.ALONE:
            return torch.cat([self._alone(self.ids[i], steered)[:, -1] for i in rows]).float().log_softmax(-1), None
        tokens, mask, places = self.inputs["input_ids"][rows], self.inputs["attention_mask"][rows], self.positions[rows]
        with acting_on(self.model, steered):
            cache = self._read_once(tokens[:, : self.shared], begun)
        read = self.shared if cache is not None else 0
        unread = {"input_ids": tokens[:, read:], "attention_mask": mask, "position_ids": places[:, read:]}
        output = self._run(steered, **unread, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1].float().log_softmax(-1), output.past_key_values

    def _run(self, steered: torch.Tensor, **inputs: object) -> ModelOutput:
        with acting_on(self.model, steered):
            return self.model.network(**inputs)

    def _alone(self, row: list[int], steered: torch.Tensor) -> torch.Tensor:
        """Logits `[1, token, vocabulary]` of a row by itself."""
        return self._run(steered, input_ids=torch.tensor([row]).to(self.model.network.device), use_cache=False).logits

    def _read_once(self, beginnings: torch.Tensor, cache: Cache | None) -> Cache | None:
        """Keys and values of what all prompts begin with, repeated for each, or None where that is not worth it."""
        prompts, tokens = beginnings.shape
        if prompts == 1 or tokens < _PREFIX:
            return None
        if cache is None:
            cache = find_base(self.model.network)(input_ids=beginnings[:1], use_cache=True).past_key_values
        cache.batch_repeat_interleave(prompts)
        return cache

    def logs(self, openings: Ids) -> torch.Tensor:
        """Log-probability in nats `[opening, prompt]` that what follows a prompt opens with some tokens.

        The openings are read behind the prompts, several in a row if the model can have that.
        """
        logs = self.first[:, [row[0] for row in openings]].T.double()
        longer = [i for i, row in enumerate(openings) if len(row) > 1]
        width = min(max(1, _LOGITS // self.first.numel()), sum(map(len, openings)))
        many = self.way < Way.COPIED and layout_for(self.model, [range(self.positions.shape[1] + width)])
        for row in (many or one_a_row)([row[:-1] for row in openings], longer, width):
            logits, paths = self.behind([openings[i][:-1] for i in row])
            for i, path in zip(row, paths, strict=True):
                logs[i] += torch.tensor([path_log(part, path, openings[i][1:]) for part in logits]).to(logs)
        return logs

    def behind(self, texts: Ids) -> tuple[torch.Tensor, list[list[int]]]:
        """Logits `[prompt, place, vocabulary]` of texts, as ids, read in one row behind the prompts, and their places;
        what is cached is left as it was."""
        if self.way is Way.ALONE:
            [text], rows = texts, zip(self.ids, self.steered.split(1), strict=True)
            logits = [self._alone(row + text, steered)[:, len(row) :] for row, steered in rows]
            return torch.cat(logits), [[*range(len(text))]]
        inputs, _, _, paths = sheet(texts, [[*range(len(texts))]], 0, next(self.model.network.parameters()))
        rows, mask = inputs["input_ids"].expand(len(self.first), -1), self._mask_behind(inputs)
        width = rows.shape[1]
        places = inputs.get("position_ids", torch.arange(width, device=rows.device)[None])
        if self.way is Way.COPIED:
            cache = deepcopy(self.cache)
            return torch.stack([self._step(rows[:, k : k + 1], k, cache) for k in range(width)], dim=1), paths
        unread = {"input_ids": rows, "attention_mask": mask, "position_ids": self.positions[:, -1:] + 1 + places}
        output = self._run(self.steered, **unread, past_key_values=self.cache, use_cache=True)
        self.cache = output.past_key_values
        self.cache.crop(-width)
        return output.logits, paths

    def _mask_behind(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mask of a row read behind the prompts: all of them is seen, and of the row what its own mask says."""
        mask, length = self.inputs["attention_mask"], inputs["input_ids"].shape[1]
        if "attention_mask" not in inputs:
            return torch.cat([mask, mask.new_ones(len(mask), length)], dim=1)
        own = inputs["attention_mask"]
        past = own.new_zeros(mask.shape).masked_fill(mask == 0, torch.finfo(own.dtype).min)
        return torch.cat([past[:, None, None].expand(-1, -1, length, -1), own.expand(len(mask), -1, -1, -1)], dim=-1)

    def _step(self, tokens: torch.Tensor, place: int, cache: Cache) -> torch.Tensor:
        """Logits `[prompt, vocabulary]` of one more token `[prompt, 1]`, at a place behind the prompts."""
        mask = self.inputs["attention_mask"]
        seen = torch.cat([mask, mask.new_ones(len(mask), place + 1)], dim=1)
        position = self.positions[:, -1:] + 1 + place
        unread = {"input_ids": tokens, "attention_mask": seen, "position_ids": position}
        return self._run(self.steered, **unread, past_key_values=cache, use_cache=True).logits[:, -1]

    def completed(self, new: int) -> list[list[int]]:
        """Greedy completions, as token ids, of at most `new` tokens, each up to its first end mark: nothing else of
        the network's generation config counts."""
        end = getattr(getattr(self.model.network, "generation_config", None), "eos_token_id", None)
        end = self.model.tokenizer.eos_token_id if end is None else end
        ends = {*end} if isinstance(end, list) else {end}
        found, logits, cache = [[] for _ in self.ids], self.first, None
        if self.way < Way.COPIED:
            cache = self.cache
            cache.crop(-1)  # read once more, in a row of its own as all that follow, for the same rounding
            logits = self._step(self.inputs["input_ids"][:, -1:], -1, cache)
        elif self.way is Way.COPIED:
            cache = deepcopy(self.cache)
        for place in range(new):
            for row, token in zip(found, logits.argmax(-1).tolist(), strict=True):
                row.append(token)
            if place + 1 == new or all(ends & {*row} for row in found):
                break
            if cache is None:
                rows = zip(self.ids, found, self.steered.split(1), strict=True)
                logits = torch.cat([self._alone([*row, *behind], steered)[:, -1] for row, behind, steered in rows])
            else:
                logits = self._step(torch.tensor([row[-1:] for row in found]).to(self.positions), place, cache)
        return [row[: next((k for k, token in enumerate(row, 1) if token in ends), new)] for row in found]


def way_for(model: Model, reach: int) -> Way:
    """The quickest way in which a network reads prompts as it reads each alone; each way is tried out once.

    A cache that has dropped what a window has passed cannot be cropped, and padding inside a window takes places in
    it, so that beyond the window, with `reach` tokens of prompts and what follows, a copy of the cache is read on.
    """
    known = _known.setdefault(model.network, {})
    for way in (Way.SHARED, Way.FRONT, Way.COPIED) if reach < window_of(model) else (Way.COPIED,):
        if way not in known:
            known[way] = _permitted(model, way)
        if known[way]:
            return way
    return Way.ALONE


@torch.inference_mode(False)
@torch.no_grad()
def _permitted(model: Model, way: Way) -> bool:
    """Whether a padded prompt, and what is read behind it, gets the states that it gets alone, in fp32.

    What all begin with is cropped out of the cache of the prompt alone, so that cropping is tried out, too.
    """
    begin, branch, rest, opening = (
        [(7 * k + start) % 89 % model.rows for k in range(tokens)]
        for start, tokens in ((5, _PREFIX + 1), (35, 2), (66, 11), (19, 3))
    )
    short, places = begin + branch, slice(len(begin + branch) - 1, len(begin + branch + opening))
    try:
        with ExitStack() as before:  # states in place of logits: the head sees one token at a time, and costs most
            before.callback(model.network.set_output_embeddings, model.network.get_output_embeddings())
            model.network.set_output_embeddings(nn.Identity())
            before.enter_context(in_fp32(model)), before.enter_context(acting_on(model, SHUT))
            alone = model.network(input_ids=torch.tensor([short + opening]).to(model.network.device), use_cache=True)
            wanted, begun = alone.logits[0, places].float().log_softmax(-1), alone.past_key_values
            if way is Way.SHARED:
                begun.crop(-len(branch + opening))
            read = Prefilled(model, [short, begin + rest], way, begun)
            turns = 1 if way is Way.SHARED else 2  # where nothing was cropped yet, what is cached is read twice
            found = [torch.cat([read.first[:1], read.behind([opening])[0][0].log_softmax(-1)]) for _ in range(turns)]
            spread = (wanted - wanted.mean(-1, keepdim=True)).norm()
            within = spread * (_ROUNDING if getattr(model.network, "is_quantized", False) else TOLERANCE)
            return all(bool((part - wanted).norm() <= within) for part in found)
    except Exception:  # what a network cannot do is not foreseeable
        return False


def path_log(logits: torch.Tensor, places: Sequence[int], tokens: Sequence[int]) -> float:
    """Log-probability in nats of the tokens that follow each of the places, from logits `[place, vocabulary]`."""
    wanted = torch.tensor(tokens, device=logits.device, dtype=torch.long)
    losses = torch.nn.functional.cross_entropy(logits[list(places)].float(), wanted, reduction="none")
    return -float(losses.double().sum())

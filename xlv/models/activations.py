"""Hidden states of the last token after every decoder block: extracted fast, cached in shards."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import local
from typing import Self

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xlv.cache import EXTRACTOR, Progress, cache_root, fingerprint, silent, whole_file
from xlv.models.fast.packing import Row, run_batches, sheet
from xlv.models.load import Model


class _Reading(local):
    """What a thread reads: where its texts end, and the states taken there, by layer."""

    rows = columns = torch.empty(0, dtype=torch.long)
    shape: torch.Size | None = None  # of what an MLP would have been given

    def __init__(self) -> None:
        self.taken: dict[int, torch.Tensor] = {}


class _LastTokens:
    """Hooks that keep, of every block's output, only what stands at the last tokens of the texts a thread reads."""

    def __init__(self, model: Model) -> None:
        self.reading = _Reading()
        # The final norm belongs to layer L, so its state is read off the base model's output instead.
        self.layers = range(1, model.n_layers)
        self.handles = [model.blocks[layer - 1].register_forward_hook(self._keep(layer)) for layer in self.layers]
        # No later block reads the other tokens, so that the last one's MLP, which sees one token at a time, skips them.
        if (mlp := getattr(model.blocks[-1], "mlp", None)) is not None:
            self.handles += [mlp.register_forward_pre_hook(self._narrow), mlp.register_forward_hook(self._widen)]

    def _keep(self, layer: int):
        def hook(_module, _inputs, output):
            hidden = output[0] if isinstance(output, tuple) else output
            self.reading.taken[layer] = self._last(hidden)

        return hook

    def _narrow(self, _module, inputs):
        whole = inputs and inputs[0].dim() == 3
        self.reading.shape = inputs[0].shape if whole else None
        if whole:
            return tuple(self._last(part)[None] if self._stands_in_rows(part) else part for part in inputs)

    def _widen(self, _module, _inputs, output):
        if self.reading.shape is None:
            return output
        narrow, *rest = output if isinstance(output, tuple) else (output,)
        hidden = narrow.new_zeros(self.reading.shape)
        hidden[self._places(hidden.device)] = narrow[0]
        return (hidden, *rest) if isinstance(output, tuple) else hidden

    def _stands_in_rows(self, part) -> bool:
        return isinstance(part, torch.Tensor) and part.shape[:2] == self.reading.shape[:2]

    def _places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        return self.reading.rows.to(device), self.reading.columns.to(device)

    def _last(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[self._places(hidden.device)]

    def read(self, base: torch.nn.Module, inputs: dict, rows: list[int], columns: list[int]) -> list[torch.Tensor]:
        """States `[text, d_model]` of every layer at a place of a row for each text."""
        self.reading.rows, self.reading.columns, self.reading.taken = torch.tensor(rows), torch.tensor(columns), {}
        final = self._last(base(**inputs, use_cache=False).last_hidden_state)
        return [*(self.reading.taken[layer] for layer in self.layers), final]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception) -> None:
        for handle in self.handles:
            handle.remove()


@torch.inference_mode()
def extract(model: Model, texts: Sequence[str], *, token_budget: int | None = None) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token, layers 1 … L, in the model's dtype.

    Equal to `outputs.hidden_states[k][:, -1]` of Hugging Face for k = 1 … L (section 3.1 of the paper), up to
    rounding. Each distinct text runs once, through the base model only, and what several texts begin with (a pair's
    common words, a chat template) is computed once a row, if the model can have several texts in a row. Batches halve
    when memory runs out. Raises ValueError for a text without tokens, or too long for the memory.
    """
    distinct = list(dict.fromkeys(texts))
    ids = model.token_ids(distinct)
    base = model.network.base_model
    states = torch.empty(len(distinct), model.n_layers, model.d_model, dtype=model.network.dtype)
    like, pad = next(model.network.parameters()), model.tokenizer.pad_token_id or 0

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        layers = last.read(base, inputs, rows, [path[-1] for path in paths])
        states[indices] = torch.stack([layer.cpu() for layer in layers], dim=1)

    with _LastTokens(model) as last:
        run_batches(model, ids, read, token_budget)
    where = {text: i for i, text in enumerate(distinct)}
    return states if len(distinct) == len(texts) else states[[where[text] for text in texts]]


def _shard(model_fingerprint: str, texts: Sequence[str]) -> Path:
    key = fingerprint(model_fingerprint, EXTRACTOR, list(texts))
    return cache_root() / "activations" / model_fingerprint / f"{key}.safetensors"


def read_shard(path: Path) -> np.ndarray | None:
    """Activations `[example, layer, d_model]` in fp32 from a shard, or None if it is absent or damaged."""
    try:
        return load_file(path)["states"].float().numpy()
    except FileNotFoundError:
        return None
    except Exception:  # a damaged shard is worth no more than a missing one: it is computed again
        path.unlink(missing_ok=True)
        return None


def layer_reader(shards: Sequence[Path]) -> Callable[[int], np.ndarray]:
    """A function from a layer 1 … L to the states `[shard, example, d_model]` of that layer only, in fp32.

    Shards are mapped, not read, and let go of after each layer, so that memory holds one layer however large they are.
    """

    def states(layer: int) -> np.ndarray:
        return np.stack([_one_layer(path, layer) for path in shards])

    return states


def _one_layer(path: Path, layer: int) -> np.ndarray:
    with safe_open(path, framework="pt") as file:
        return file.get_slice("states")[:, layer - 1].float().numpy()


def cached_activations(
    model: Model, texts: dict[tuple[str, str], list[str]], *, progress: Progress = silent
) -> dict[tuple[str, str], Path]:
    """Shards with the activations of each (concept, language)'s texts, computing only those not cached.

    Languages run one after the other, all concepts of one together, so that batches are well filled and
    an interrupt loses one language at most. Returns the path of each shard; read them with `read_shard`.
    """
    stamp = model.fingerprint
    shards = {key: _shard(stamp, rows) for key, rows in texts.items()}
    languages = list(dict.fromkeys(lang for _, lang in texts))
    what = f"reading {model.name}"
    for done, lang in enumerate(languages):
        progress(what, done, len(languages))
        missing = [key for key in texts if key[1] == lang and read_shard(shards[key]) is None]
        if not missing:
            continue
        states = extract(model, [text for key in missing for text in texts[key]])
        for key, part in zip(missing, states.split([len(texts[key]) for key in missing]), strict=True):
            with whole_file(shards[key]) as temporary:
                save_file({"states": part.contiguous()}, temporary, metadata={"concept": key[0], "language": key[1]})
    progress(what, len(languages), len(languages))
    return shards


def concept_states(
    model: Model, texts: dict[tuple[str, str], list[str]], *, progress: Progress = silent
) -> dict[str, Callable[[int], np.ndarray]]:
    """For each concept of (concept, language)'s texts a function from a layer to `[language, example, d_model]`."""
    shards = cached_activations(model, texts, progress=progress)
    return {
        concept: layer_reader([path for (name, _), path in shards.items() if name == concept])
        for concept in dict.fromkeys(name for name, _ in shards)
    }

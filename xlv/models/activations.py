"""Hidden states of the last token after every decoder block: read plainly or fast, cached in shards."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import local

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xlv.cache import EXTRACTOR, Progress, cache_root, counted, fingerprint, silent, whole_file
from xlv.models.fast.packing import Row, run_batches, sheet
from xlv.models.model import Model


class _Reading(local):
    """What a thread reads: where its texts end, and the states taken there, by layer."""

    rows = columns = torch.empty(0, dtype=torch.long)
    shape: torch.Size | None = None  # of what an MLP would have been given

    def __init__(self) -> None:
        self.taken: dict[int, torch.Tensor] = {}


class _LastTokens(ExitStack):
    """Hooks that keep, of every block's output, only what stands at the last tokens of the texts a thread reads."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.reading = _Reading()
        # The final norm belongs to layer L, so its state is read off the base model's output instead.
        self.layers = range(1, model.n_layers)
        for layer in self.layers:
            self.enter_context(model.blocks[layer - 1].register_forward_hook(partial(self._keep, layer)))
        # No later block reads the other tokens, so that the last one's MLP, which sees one token at a time, skips them.
        if (mlp := getattr(model.blocks[-1], "mlp", None)) is not None:
            self.enter_context(mlp.register_forward_pre_hook(self._narrow))
            self.enter_context(mlp.register_forward_hook(self._widen))

    def _keep(self, layer: int, _module, _inputs, output) -> None:
        self.reading.taken[layer] = self._last(output[0] if isinstance(output, tuple) else output)

    def _narrow(self, _module, inputs):
        self.reading.shape = shape = inputs[0].shape if inputs and inputs[0].dim() == 3 else None
        if shape is not None:
            in_rows = [isinstance(part, torch.Tensor) and part.shape[:2] == shape[:2] for part in inputs]
            return tuple(self._last(part)[None] if whole else part for part, whole in zip(inputs, in_rows, strict=True))

    def _widen(self, _module, _inputs, output):
        if self.reading.shape is None:
            return output
        narrow, *rest = output if isinstance(output, tuple) else (output,)
        hidden = narrow.new_zeros(self.reading.shape)
        hidden[self._places(hidden.device)] = narrow[0]
        return (hidden, *rest) if isinstance(output, tuple) else hidden

    def _places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        return self.reading.rows.to(device), self.reading.columns.to(device)

    def _last(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[self._places(hidden.device)]

    def read(self, base: torch.nn.Module, inputs: dict, rows: list[int], columns: list[int]) -> list[torch.Tensor]:
        """States `[text, d_model]` of every layer at a place of a row for each text."""
        self.reading.rows, self.reading.columns, self.reading.taken = torch.tensor(rows), torch.tensor(columns), {}
        final = self._last(base(**inputs, use_cache=False).last_hidden_state)
        return [*(self.reading.taken[layer] for layer in self.layers), final]


def read_fast(model: Model, texts: Sequence[str], token_budget: int | None = None) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token: equal to `read_plainly` up to rounding.

    Through the base model only, several texts in a row where the model can have that, what they begin with computed
    once. Batches halve when memory runs out. Raises ModelError for a text that is too long for the memory.
    """
    ids = model.token_ids(list(texts))
    states = torch.empty(len(ids), model.n_layers, model.d_model, dtype=model.network.dtype)
    like, pad = next(model.network.parameters()), model.tokenizer.pad_token_id or 0

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        layers = last.read(model.network.base_model, inputs, rows, [path[-1] for path in paths])
        states[indices] = torch.stack([layer.cpu() for layer in layers], dim=1)

    with _LastTokens(model) as last:
        run_batches(model, ids, read, token_budget)
    return states


def read_plainly(model: Model, texts: Sequence[str]) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token, layers 1 … L: the definition, as code.

    One text at a time; `hidden_states[0]` is the embedding and is left out, the last one lies behind the final norm.
    """
    rows = []
    for ids in model.token_ids(list(texts)):
        tokens = torch.tensor([ids], device=model.network.device)
        output = model.network.base_model(input_ids=tokens, output_hidden_states=True, use_cache=False)
        rows.append(torch.stack([state[0, -1].cpu() for state in output.hidden_states[1:]]))
    return torch.stack(rows)


@torch.inference_mode()
def extract(model: Model, texts: Sequence[str], *, fast: bool = True, token_budget: int | None = None) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token, layers 1 … L, in the model's dtype.

    Equal to `outputs.hidden_states[k][:, -1]` of Hugging Face for k = 1 … L (section 3.1 of the paper): to the letter
    with `fast=False`, up to rounding with the fast reader, whose batches hold `token_budget` tokens (None: what suits
    the device). Each distinct text is read once. Raises ValueError for a text without tokens, or too long for the
    memory.
    """
    distinct = list(dict.fromkeys(texts))
    states = read_fast(model, distinct, token_budget) if fast else read_plainly(model, distinct)
    where = {text: i for i, text in enumerate(distinct)}
    return states if len(distinct) == len(texts) else states[[where[text] for text in texts]]


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
        rows = []
        for path in shards:
            with safe_open(path, framework="pt") as file:
                rows.append(file.get_slice("states")[:, layer - 1].float().numpy())
        return np.stack(rows)

    return states


def cached_activations(
    model: Model, texts: dict[tuple[str, str], list[str]], *, progress: Progress = silent
) -> dict[tuple[str, str], Path]:
    """Shards with the activations of each (concept, language)'s texts, computing only those not cached.

    Languages run one after the other, all concepts of one together, so that batches are well filled and
    an interrupt loses one language at most. Returns the path of each shard; read them with `read_shard`.
    """
    stamp = model.fingerprint
    names = {key: fingerprint(stamp, EXTRACTOR, list(rows)) for key, rows in texts.items()}
    shards = {key: cache_root() / "activations" / stamp / f"{name}.safetensors" for key, name in names.items()}
    for lang in counted(dict.fromkeys(lang for _, lang in texts), f"reading {model.name}", progress):
        missing = [key for key in texts if key[1] == lang and read_shard(shards[key]) is None]
        if not missing:
            continue
        states = extract(model, [text for key in missing for text in texts[key]])
        for key, part in zip(missing, states.split([len(texts[key]) for key in missing]), strict=True):
            with whole_file(shards[key]) as temporary:
                save_file({"states": part.contiguous()}, temporary, metadata={"concept": key[0], "language": key[1]})
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

"""Hidden states of the last token after every decoder block: read plainly or fast, cached in shards."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xlv.cache import EXTRACTOR, Progress, cache_root, fingerprint, silent, whole_file
from xlv.models.fast.reading import read_fast
from xlv.models.load import Model


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

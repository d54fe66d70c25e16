"""Hidden states of the last token after every decoder block: read plainly or fast, cached in shards."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, pairwise, starmap
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xlv.cache import EXTRACTOR, Progress, cache_root, counted, fingerprint, need_space, silent, whole_file
from xlv.corpus.pairs import texts_of
from xlv.models.blocks import find_base, state_of
from xlv.models.fast.last_tokens import LastTokens, require_finite
from xlv.models.fast.packing import run_batches
from xlv.models.fast.probe import permits
from xlv.models.fast.rows import Row, sheet
from xlv.models.model import Model, as_model
from xlv.models.prompts import as_texts
from xlv.statistics.vectors import Layers

Key = tuple[str, ...]  # concept and language


def read_fast(
    model: Model, texts: Sequence[str], token_budget: int | None = None, parts: Sequence[Sequence[int]] | None = None
) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token: equal to `read_plainly` up to rounding.

    Through the base model only, several texts in a row where the model can have that, what they begin with computed
    once; each of the `parts`, indices of texts, in batches of its own. Batches halve when memory runs out. Raises
    ModelError for a text that is too long for the memory, and for a model whose states cannot be read.
    """
    ids, narrow = model.token_ids(texts), permits(model).narrow
    states = torch.empty(len(ids), model.n_layers, model.d_model, dtype=model.network.dtype)
    like, pad = next(model.network.parameters()), model.pad_id

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        states[indices] = last.read(inputs, rows, [path[-1] for path in paths]).cpu().to(states.dtype)

    with LastTokens(model, narrow=narrow) as last:
        run_batches(model, ids, read, token_budget, parts or [range(len(ids))])
    return states


def read_plainly(model: Model, texts: Sequence[str]) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token: the definition, as code.

    One text at a time: what block k hands on, for k = L behind the final norm (where that keeps the width).
    """
    base, handed, rows = find_base(model.network), [], []
    hooks = [
        block.register_forward_hook(lambda _block, _inputs, output: handed.append(state_of(output)[0, -1].cpu()))
        for block in model.blocks
    ]
    try:
        for ids in model.token_ids(texts):
            handed.clear()
            tokens = torch.tensor([ids], device=model.network.device)
            final = base(input_ids=tokens, use_cache=False).last_hidden_state[0, -1].cpu()
            layers = [*handed[:-1], final if final.shape == handed[-1].shape else handed[-1]]
            rows.append(torch.stack([state.to(model.network.dtype) for state in layers]))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(rows)


@torch.inference_mode()
def extract(
    model: Model, texts: str | Sequence[str], *, fast: bool = True, token_budget: int | None = None
) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token, layers 1 … L, in the model's dtype.

    Layer k < L is what block k hands on, layer L the last hidden state, behind the final norm: Hugging Face's
    `outputs.hidden_states[k][:, -1]` (section 3.1 of the paper). Mamba's and RWKV's classes list at k < L what block
    k + 1 hands on; here they are read as all others. Equal to the letter with `fast=False`, up to rounding with the
    fast reader, whose batches hold `token_budget` tokens (None: what suits the device). Each distinct text is read
    once; a single one is one example. Raises ValueError for a text without tokens, or too long for the memory,
    ModelError for states that are not finite.
    """
    return extract_parts(as_model(model), {(): as_texts(texts)}, fast, token_budget)[()]


@torch.inference_mode()
def extract_parts(
    model: Model, parts: Mapping[Key, Sequence[str]], fast: bool = True, token_budget: int | None = None
) -> dict[Key, torch.Tensor]:
    """States as of `extract` for each part of some texts: to the bit the same whatever other parts there are.

    Batches are made within a part and follow from all its texts. Raises as `extract` does, naming the part.
    """
    distinct = {key: list(dict.fromkeys(texts)) for key, texts in parts.items()}
    texts, sizes = [*chain.from_iterable(distinct.values())], [*map(len, distinct.values())]
    batched = [*starmap(range, pairwise(accumulate(sizes, initial=0)))]
    read = read_fast(model, texts, token_budget, batched) if fast else read_plainly(model, texts)
    found = dict(zip(distinct, read.split(sizes), strict=True))
    for key, states in found.items():
        require_finite(model, states, " in ".join(key))
        where = {text: i for i, text in enumerate(distinct[key])}
        found[key] = states[[where[text] for text in parts[key]]]
    return found


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


def cached_activations(model: Model, texts: dict[Key, list[str]], *, progress: Progress = silent) -> dict[Key, Path]:
    """Shards with the activations of each (concept, language)'s texts, computing only those not cached.

    Languages run one after the other, the batches of all concepts of one side by side, so that an interrupt loses one
    language at most. Returns the path of each shard; read them with `read_shard`. Raises as `extract` does.
    """
    stamp = model.fingerprint
    names = {key: fingerprint(stamp, EXTRACTOR, list(rows)) for key, rows in texts.items()}
    shards = {key: cache_root() / "activations" / stamp / f"{name}.safetensors" for key, name in names.items()}
    if examples := sum(len(texts[key]) for key, path in shards.items() if not path.exists()):
        size = examples * model.n_layers * model.d_model * model.network.dtype.itemsize
        need_space(cache_root() / "activations", size, f"reading {model.name}")
    for lang in counted(dict.fromkeys(lang for _, lang in texts), f"reading {model.name}", progress):
        missing = [key for key in texts if key[1] == lang and read_shard(shards[key]) is None]
        if not missing:
            continue
        for key, states in extract_parts(model, {key: texts[key] for key in missing}).items():
            with whole_file(shards[key]) as temporary:
                # One entry only: of several, the order in the file is drawn by chance.
                save_file({"states": states}, temporary, metadata={"model": model.name})
    return shards


def concept_states(
    model: Model, texts: dict[Key, list[str]], *, progress: Progress = silent
) -> dict[str, Callable[[int], np.ndarray]]:
    """For each concept of (concept, language)'s texts a function from a layer to `[language, example, d_model]`."""
    shards = cached_activations(model, texts, progress=progress)
    return {
        concept: layer_reader([path for (name, _), path in shards.items() if name == concept])
        for concept in dict.fromkeys(name for name, _ in shards)
    }


def pair_states(model: Model, table: pd.DataFrame, *, progress: Progress = silent) -> dict[str, Layers]:
    """`concept_states` of a table of pairs; each cohort is read, and cached, by itself, so that runs can share it."""
    texts, parts, places = {}, {}, {}
    for concept, rows in table.groupby("concept", sort=False):
        cohorts = rows[rows["language"] == rows["language"].iloc[0]]["cohort"].to_numpy()
        names = {name: f"{concept}, {name} cohort" for name in dict.fromkeys(cohorts)}
        for name, part in names.items():
            texts |= texts_of(rows[rows["cohort"] == name].assign(concept=part))
        sides = [np.flatnonzero(cohorts == name) + side * len(cohorts) for name in names for side in (0, 1)]
        parts[concept], places[concept] = list(names.values()), np.argsort(np.concatenate(sides))
    read = concept_states(model, texts, progress=progress)

    def joined(concept: str) -> Layers:
        return lambda layer: np.concatenate([read[part](layer) for part in parts[concept]], axis=1)[:, places[concept]]

    return {concept: read[rows[0]] if len(rows) == 1 else joined(concept) for concept, rows in parts.items()}

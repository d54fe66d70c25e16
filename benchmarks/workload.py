"""What the contenders are given: models as folders that every release of transformers reads, texts, and their cost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchmarks.contenders import ROOT
from xlv.corpus.pairs import full_texts, load_pairs
from xlv.models.blocks import find_base
from xlv.models.weights import resolve

PLAIN_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "padding_side": "right",
    "model_input_names": ["input_ids", "attention_mask"],
}


def shared_folder(model: str) -> Path:
    """A folder with a model's weights that transformers 4 and 5 read alike; weights are linked, not copied.

    The cache's folders are written by transformers 5, whose names of the rotary base and of the tokenizer class
    version 4 does not know: it would silently take its own default base.
    """
    source = Path(resolve(model).location)
    folder = ROOT / "build" / "bench" / "models" / model
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        link = folder / path.name
        link.unlink(missing_ok=True)
        if path.name == "config.json":
            link.write_text(json.dumps(readable_by_all(json.loads(path.read_text())), indent=1))
        elif path.name == "tokenizer_config.json":
            link.write_text(json.dumps({**json.loads(path.read_text()), **PLAIN_TOKENIZER}, indent=1))
        else:
            link.symlink_to(path)
    return folder


def readable_by_all(config: dict) -> dict:
    """A configuration of transformers 5 with the older names of what it renamed beside the new ones."""
    rope = config.get("rope_parameters", {})
    full = rope.get("full_attention", rope)
    older = {"rope_theta": full["rope_theta"]} if "rope_theta" in full else {}
    if "sliding_attention" in rope:
        older["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    return {**config, **older, "torch_dtype": config.get("dtype", "float32")}


@dataclass(frozen=True)
class Reading:
    """Texts by language, each pair's positive text before its negative one, and what reading them costs at least.

    `gflop` counts every distinct text in full, `once_gflop` what several of them begin with once.
    """

    groups: list[list[str]]
    tokens: int
    gflop: float
    once_gflop: float

    @property
    def texts(self) -> int:
        return sum(map(len, self.groups))


def texts_by_language(languages: Sequence[str], pairs: int, concept: str = "morality") -> list[list[str]]:
    """The first pairs of a concept in each language, positive and negative texts in turn."""
    groups = []
    for code in languages:
        positive, negative = full_texts(load_pairs([concept], [code], pairs=pairs))
        groups.append([text for pair in zip(positive, negative, strict=True) for text in pair])
    return groups


def reading(folder: Path, groups: list[list[str]]) -> Reading:
    """A workload with its useful tokens and GFLOP: distinct texts once, no padding, no vocabulary head."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    distinct = list(dict.fromkeys(text for group in groups for text in group))
    rows = [tuple(row) for row in tokenizer(distinct)["input_ids"]]
    beginnings = [row[:place] for row in rows for place in range(1, len(row) + 1)]
    places, once = map(len, beginnings), map(len, set(beginnings))
    return Reading(groups, len(beginnings), useful_gflop(folder, [*places]), useful_gflop(folder, [*once]))


def useful_gflop(folder: Path, places: Sequence[int]) -> float:
    """GFLOP of the decoder blocks on tokens: two for each weight and token, and causal attention.

    `places` are those of the tokens in their texts, from 1: a token attends to as many.
    """
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        blocks = find_base(AutoModelForCausalLM.from_config(config))  # below the head, nothing else is linear
    weights = sum(m.weight.numel() for m in blocks.modules() if isinstance(m, torch.nn.Linear))
    width = config.num_attention_heads * getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
    attention = 4 * width * sum(places) * config.num_hidden_layers
    return (2 * weights * len(places) + attention) / 1e9

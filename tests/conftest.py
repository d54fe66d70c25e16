"""Tiny models, randomly initialised, with a tokenizer trained here: no download, milliseconds a forward pass."""

import shutil
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from xlv.corpus.pairs import load_instructions, load_pairs
from xlv.models.blocks import find_blocks
from xlv.models.model import DTYPES, Model

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 400,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
ARCHITECTURES = {
    "llama": lambda: hf.LlamaConfig(**GROUPED),
    "qwen2": lambda: hf.Qwen2Config(**GROUPED),
    "qwen3": lambda: hf.Qwen3Config(**GROUPED, head_dim=8),
    "mistral": lambda: hf.MistralConfig(**GROUPED),
    "mixtral": lambda: hf.MixtralConfig(**GROUPED, num_local_experts=2, num_experts_per_tok=1),
    "phi3": lambda: hf.Phi3Config(**GROUPED, pad_token_id=0, eos_token_id=0, bos_token_id=0),
    "gemma3": lambda: hf.Gemma3TextConfig(**GROUPED, head_dim=8, sliding_window=64),
    "olmo2": lambda: hf.Olmo2Config(**GROUPED),
    "gpt2": lambda: hf.GPT2Config(n_embd=32, n_layer=4, n_head=4, vocab_size=400, n_positions=128),
    "gpt-neox": lambda: hf.GPTNeoXConfig(**SMALL),
    "opt": lambda: hf.OPTConfig(
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        vocab_size=400,
        word_embed_proj_dim=32,
        max_position_embeddings=128,
    ),
    "falcon": lambda: hf.FalconConfig(hidden_size=32, num_hidden_layers=4, num_attention_heads=4, vocab_size=400),
    "bloom": lambda: hf.BloomConfig(hidden_size=32, n_layer=4, n_head=4, vocab_size=400),
}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on the corpus's English texts."""
    raw = Tokenizer(BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<pad>", "<|end|>"], initial_alphabet=alphabet)
    texts = load_pairs(["morality"], ["en"])
    raw.train_from_iterator(
        [*texts["positive"], *texts["negative"], *load_instructions("en")["harmless"][:64]], trainer
    )
    result = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<|end|>")
    result.chat_template = CHAT
    return result


@cache
def tiny_network(name: str, dtype: torch.dtype = torch.float32):
    """A causal LM of four layers and width 32 of the named architecture, seeded; made once, not to be changed."""
    torch.manual_seed(0)
    network = hf.AutoModelForCausalLM.from_config(ARCHITECTURES[name](), dtype=dtype)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny(tokenizer):
    """A ready Model of an architecture, `tiny("llama")`: a copy of its own, which a test may change."""

    def build(name: str = "llama", dtype: str = "fp32", template: str = "raw") -> Model:
        network = deepcopy(tiny_network(name, DTYPES[dtype]))
        return Model(f"tiny-{name}", network, tokenizer, find_blocks(network), dtype, template, f"tiny-{name}")

    return build


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own, and a command line that no test before it has made quiet."""
    monkeypatch.setenv("XLV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("xlv.cli.terminal.verbosity", 0)


@pytest.fixture(scope="session")
def saved_model(tiny, tmp_path_factory) -> Path:
    """The folder of a tiny Llama, not to be changed."""
    folder, model = tmp_path_factory.mktemp("saved"), tiny("llama")
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_folder(saved_model, tmp_path) -> Path:
    """A tiny Llama saved as a user's own model folder, which a test may change."""
    return Path(shutil.copytree(saved_model, tmp_path / "my-model"))


def pytest_addoption(parser):
    """The folder of a built book, for tests/book_pages.py; that of results, for tests/reference_results.py."""
    parser.addoption("--book", default=None)
    parser.addoption("--results", default=None)
    parser.addoption("--full", action="store_true", help="campaigns at full size: `make fuzz`, `make simulate`")


@pytest.fixture(scope="session")
def runs(request):
    """How many runs a seeded campaign makes: `runs(400, sample=50)` is 400 with `--full`, else the sample of 50."""
    return lambda full, sample: full if request.config.getoption("--full") else sample

"""Every decoder-only architecture of the installed transformers: read as its own hidden states, or refused."""

import random

import pytest
import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.models.architectures import NAMES, VOCABULARY, small_config, small_network
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.blocks import find_base, find_blocks
from xlv.models.fast.probe import permits
from xlv.models.files import check_config
from xlv.models.model import Model

# Models with an encoder, by their config; the rest of the refused by what is said of them, and why.
WITH_ENCODER = set(
    """bart bigbird_pegasus blenderbot blenderbot-small marian mbart musicgen musicgen_melody mvp
    pegasus plbart prophetnet whisper""".split()
)
BIDIRECTIONAL = set(  # until their config says is_decoder
    """bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta
    roberta-prelayernorm roc_bert roformer xlm xlm-roberta xlm-roberta-xl""".split()
)
REFUSED = {
    "blt": "no list of",  # bytes are read in patches, by three networks in turn
    "cpmant": r"states \[1, 36, 32\]",  # 32 tokens of its own stand in front, and see later ones
    "deepseek_v4": r"states \[1, 4, 4, 32\]",  # four streams in place of one
    "gemma3n_text": r"states \[4, 1, 4, 32\]",
    "hrm_text": "no list of",  # blocks run many times over
    "hy_v4": r"states \[1, 4, 4, 32\]",
    "mllama": "runs no 4 blocks",  # those that look at a picture do not run without one
    "qwen4_exp": r"states \[1, 4, 128\]",
    "qwen4_exp_text": r"states \[1, 4, 128\]",
    "xlnet": r"states \[4, 1, 32\]",
    "xmod": "set_default_language",
}
NOT_BUILT = {
    "dbrx": "its class asks a part of the config for what that part no longer has",
    "dots3_note": "its default config names layers one by one; dots3_note_text is the same language model",
    "gemma3n": "its pictures need another package; gemma3n_text is the same language model",
    "gemma4_assistant": "drafts for a larger model, whose states it reads",
    "gemma4_unified_assistant": "drafts for a larger model, whose states it reads",
}
# Their classes list at place k < L what block k + 1 hands on.
SHIFTED = {"falcon_mamba", "mamba", "mamba2", "rwkv"}

_dice = random.Random(0)


def _tokens(count: int) -> list[int]:
    return [_dice.randrange(1, VOCABULARY) for _ in range(count)]


_BEGINNING = _tokens(9)
IDS = [*(_BEGINNING + _tokens(count) for count in (3, 3, 7, 16)), *(_tokens(count) for count in (1, 5, 21))]


class OfIds(Model):
    """A model whose texts are numbers of the texts above."""

    def token_ids(self, texts, system=None):
        return [IDS[int(text)] for text in texts]


def own_states(model: Model) -> torch.Tensor:
    """States as the network lists them itself, each text read alone."""
    base, states = find_base(model.network), []
    for ids in IDS:
        listed = base(input_ids=torch.tensor([ids]), output_hidden_states=True, use_cache=False).hidden_states
        assert len(listed) == model.n_layers + 1
        places = range(model.n_layers - 1) if model.name in SHIFTED else range(1, model.n_layers)
        states.append(torch.stack([listed[k][0, -1] for k in (*places, -1)]))
    return torch.stack(states)


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITH_ENCODER - BIDIRECTIONAL - REFUSED.keys() - NOT_BUILT.keys()))
def test_states_are_those_that_the_network_lists_packed_and_alone(name, tokenizer):
    network = small_network(name)
    model = OfIds(name, network, tokenizer, find_blocks(network), "fp32", "raw", name)
    with torch.inference_mode():
        wanted, texts = own_states(model), [str(i) for i in range(len(IDS))]
    for fast in (False, True):
        off = (extract(model, texts, fast=fast) - wanted).norm(dim=-1) / wanted.norm(dim=-1)
        assert off.max() < 1e-5, f"fast: {fast}; largest difference by layer {off.amax(0).tolist()}"


@pytest.mark.parametrize("name", sorted(WITH_ENCODER & set(NAMES)))
def test_a_model_with_an_encoder_is_refused(name):
    with pytest.raises(ModelError, match="expected a decoder-only model"):
        check_config(CONFIG_MAPPING[name]().to_dict(), name)


@pytest.mark.parametrize("name", sorted((BIDIRECTIONAL | REFUSED.keys()) & set(NAMES)))
def test_a_network_that_is_no_decoder_or_has_no_states_to_read_is_refused_in_one_line(name, tokenizer):
    network = small_network(name)
    with pytest.raises(
        ModelError, match=REFUSED.get(name, "a later token moves the states of earlier ones")
    ) as refused:
        permits(Model(name, network, tokenizer, find_blocks(network), "fp32", "raw", name))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["bert", "roberta", "megatron-bert"])
def test_an_encoder_s_architecture_whose_config_makes_it_a_decoder_is_read(name, tokenizer):
    config = small_config(CONFIG_MAPPING[name])
    config.is_decoder = True
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    assert permits(Model(name, network, tokenizer, find_blocks(network), "fp32", "raw", name)).padded

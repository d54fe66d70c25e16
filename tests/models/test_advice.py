"""What went wrong decides what a line advises, whatever words or paths stand in it."""

import json
import pickle

import pytest
import torch
from huggingface_hub import errors as hub
from safetensors import SafetensorError

from xlv.models.advice import ModelError, check_loaded, explained

NOTHING = {"missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set(), "error_msgs": []}


class Answer:
    """Of the Hub, with a status."""

    headers, request, text = {}, None, ""

    def __init__(self, status: int) -> None:
        self.status_code = status


def of_hub(kind: type[Exception], status: int) -> Exception:
    return kind("of lab403 or 401", response=Answer(status))


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (of_hub(hub.GatedRepoError, 403), "accept its licence"),
        (of_hub(hub.RepositoryNotFoundError, 404), "check the id; if it is private"),
        (of_hub(hub.RevisionNotFoundError, 404), "give a revision"),
        (of_hub(hub.HfHubHTTPError, 401), "log in"),
        (of_hub(hub.HfHubHTTPError, 503), "try again later, or download it elsewhere"),
        (hub.LocalEntryNotFoundError("nothing"), "check the id and the network"),
        (ConnectionRefusedError(), "check the id and the network"),
        (MemoryError(), "memory has run out: 8 GB"),
        (torch.OutOfMemoryError("CUDA"), "memory has run out: 8 GB"),
        (RuntimeError("DefaultCPUAllocator: error code 12 (Cannot allocate memory)"), "memory has run out: 8 GB"),
        (ImportError("needs `gptqmodel`"), "install what it names"),
        (SafetensorError("header too large"), "its files are damaged"),
        (json.JSONDecodeError("expecting value", "", 0), "its files are damaged"),
        (pickle.UnpicklingError("weights only"), "whole and belong together"),
        (ValueError("/lab403/gated/trust_remote_code"), "whole and belong together"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_cause_decides_the_advice(cause, advice, wrapped):
    with pytest.raises(ModelError, match="^cannot load lab403/model: ") as found, explained("lab403/model", "8 GB"):
        if not wrapped:
            raise cause
        try:
            raise cause
        except Exception as error:
            raise OSError("cannot be loaded\nfor some reason") from error
    assert advice in str(found.value) and "\n" not in str(found.value)


def test_what_says_all_already_is_passed_on():
    with pytest.raises(ModelError, match="^the folder holds no tokenizer$"), explained("model"):
        raise ModelError("the folder holds no tokenizer")


def test_a_fault_is_one_line_whatever_a_file_puts_into_it():
    said = str(ModelError("it is a " + "x\n" * 9999 + "\x1b[31m. What to do: give another"))
    assert len(said) <= 1000 and said.isprintable()
    assert said.startswith("it is a x x") and said.endswith(" [31m. What to do: give another")


@pytest.mark.parametrize(
    ("kind", "names", "said"),
    [
        (
            "missing_keys",
            {"model.norm.weight"},
            "the files lack model.norm.weight. What to do: give weights and a config",
        ),
        ("missing_keys", {"lm_head.weight"}, "this one has no language-model head"),
        (
            "unexpected_keys",
            {"model.layers.0.mlp.up_proj.bias"},
            "no place in the model for model.layers.0.mlp.up_proj.b",
        ),
        ("unexpected_keys", {"model.layers.4.mlp.up_proj.weight"}, "no place in the model for model.layers.4.mlp.up"),
        ("unexpected_keys", {"model.layers.0.self_attn.q_proj.lora_A.weight"}, "merge its LoRA matrices"),
        ("unexpected_keys", {"model.layers.0.mlp.up_proj.weight_scale_inv"}, "quantization_config"),
        ("mismatched_keys", {("lm_head.weight", (2, 3), (4, 3))}, r"lm_head.weight is \[2, 3\], expected \[4, 3\]"),
        ("error_msgs", ["of another kind"], "of another kind"),
    ],
)
def test_weights_that_are_not_the_network_s_are_named(tiny, kind, names, said):
    with pytest.raises(ModelError, match=f"^cannot load it as LlamaForCausalLM: .*{said}"):
        check_loaded(NOTHING | {kind: names}, tiny().network, "it")


def test_of_many_weights_three_are_named_and_a_prefix_is_found(tiny):
    lacking = {f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(4)}
    info = NOTHING | {"missing_keys": lacking, "unexpected_keys": {f"_orig_mod.{name}" for name in lacking}}
    with pytest.raises(ModelError, match="layers.2.mlp.up_proj.weight and 1 more.*without the prefix '_orig_mod.'"):
        check_loaded(info, tiny().network, "it")


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "transformer.h.0.attn.masked_bias",
        "vision_tower.encoder.layers.0.weight",
        "model.audio_tower.conv.bias",
        "multi_modal_projector.linear_1.weight",
        "mtp.layers.0.weight",
        "model.layers.4.eh_proj.weight",
        "v_head.summary.weight",
    ],
)
def test_what_cannot_move_a_hidden_state_may_be_left_over(tiny, name):
    network = tiny().network
    network.config.num_nextn_predict_layers = 1
    check_loaded(NOTHING | {"unexpected_keys": {name}}, network, "it")

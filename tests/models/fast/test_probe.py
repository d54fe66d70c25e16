"""What a network permits: small leaks, from text to text, batch to batch, pass to pass, thread to thread, are found."""

from contextlib import contextmanager

import pytest
import torch
from torch.nn.functional import pad

from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.fast.probe import in_fp32, permits

TEXTS = [
    "I paid my neighbour for the window.",
    "I paid my neighbour for nothing at all.",
    "You paid me.",
    "No.",
    "I went home, since nobody had asked me to stay.",
    "Yes.",
]
LEAK = 3e-3  # of a part's output, far less than rounding in bf16 makes of a state


@contextmanager
def changed(part, change):
    """A network one of whose parts gives `change` of what it gave, which is seen by nothing but its numbers."""
    handle = part.register_forward_hook(lambda module, inputs, output: change(module, inputs[0], output))
    yield
    handle.remove()


def recurrent(_module, _given, output):
    return output + LEAK * output.cumsum(1)


def of_the_batch(_module, _given, output):
    return output + LEAK * output.mean(0, keepdim=True)


def of_the_length(_module, _given, output):
    return output * (1 + LEAK * output.shape[1])


def as_read(model, texts=TEXTS, two_threads=False):
    """The largest relative difference of states read fast from those read one by one."""
    torch.set_num_threads(1 + two_threads)
    off = extract(model, texts, token_budget=24).float() - (alone := extract(model, texts, fast=False).float())
    torch.set_num_threads(1)
    return float((off.norm(dim=-1) / alone.norm(dim=-1)).max())


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("change", "off"),
    [(recurrent, {"packed"}), (of_the_length, {"packed", "padded"}), (of_the_batch, {"packed", "padded", "together"})],
)
def test_a_leak_of_a_few_thousandths_is_found_in_any_dtype_and_not_read(tiny, dtype, change, off):
    model = tiny("llama", dtype)
    with changed(model.blocks[1].mlp, change):
        found = permits(model)
        assert {name for name, permitted in found._asdict().items() if not permitted} == off
        assert as_read(model) < (1e-5 if dtype == "fp32" else 0.05)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_rounding_alone_is_no_leak(tiny, dtype):
    assert all(permits(tiny("mixtral", dtype)))


def test_a_block_that_mixes_tokens_behind_its_mlp_has_all_of_it_computed(tiny):
    model = tiny()
    with changed(model.blocks[-1], lambda _module, _given, output: output + 0.3 * pad(output, (0, 0, 1, 0))[:, :-1]):
        assert permits(model)._replace(packed=True) == (False, True, True, True, True)
        assert as_read(model) < 1e-5


def test_what_a_pass_leaves_in_a_module_is_not_seen_by_another_thread(tiny):
    model = tiny()
    block = model.blocks[1]

    def leave(module, inputs):
        module.left = inputs[0][:, :1]

    handle = block.register_forward_pre_hook(leave)
    with changed(block, lambda module, _given, output: output + LEAK * module.left):
        found = permits(model)
        assert found.padded and not found.threads
        assert as_read(model, TEXTS * 4, two_threads=True) < 1e-5
    handle.remove()


def test_a_network_that_keeps_something_of_one_text_for_the_next_is_refused(tiny):
    model, kept = tiny(), [torch.zeros(1)]

    def keep(_module, _given, output):
        before, kept[0] = kept[0], output[:, -1:].detach()
        return output + LEAK * before

    with changed(model.blocks[1], keep), pytest.raises(ModelError, match="keeps something of one text for the next"):
        permits(model)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_network_in_which_a_later_token_moves_an_earlier_state_is_refused(tiny, dtype):
    model = tiny("llama", dtype)
    with (
        changed(model.blocks[1].mlp, lambda _m, _g, output: output + 0.05 * output.mean(1, keepdim=True)),
        pytest.raises(ModelError, match="tiny-llama is not a decoder-only model: in it a later token moves") as refused,
    ):
        extract(model, TEXTS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("fails", [False, True])
def test_a_network_computes_in_fp32_only_while_that_lasts(tiny, fails):
    model, exact = tiny("gemma3", "bf16"), tiny("gemma3", "bf16")
    exact.network.float()
    weights = {name: part.data_ptr() for name, part in model.network.state_dict().items()}
    tokens = torch.arange(3, 9)[None]
    wanted = exact.network.base_model(tokens).last_hidden_state
    try:
        with in_fp32(model):
            found = model.network.base_model(tokens).last_hidden_state
            assert not fails or model.network.base_model(tokens[:, :0].float())
    except (TypeError, RuntimeError, ValueError):
        assert fails
    assert found.dtype == torch.float32 and (found - wanted).norm() < 0.01 * wanted.norm()
    assert {name: part.data_ptr() for name, part in model.network.state_dict().items()} == weights
    assert model.network.dtype == torch.bfloat16 and not any(m._forward_hooks for m in model.network.modules())


def test_a_network_that_cannot_be_tried_has_its_texts_read_one_by_one(tiny, monkeypatch):
    model = tiny()
    monkeypatch.setattr(
        "xlv.models.fast.probe.in_fp32", lambda _model: (_ for _ in ()).throw(RuntimeError("no memory"))
    )
    assert not any(permits(model)) and as_read(model) < 1e-6

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.conftest import ARCHITECTURES
from xlv.models.activations import extract
from xlv.models.fast import attention
from xlv.models.fast.attention import suited_attention
from xlv.models.fast.rows import sheet

TEXTS = ["I paid my neighbour for the window.", "I paid my neighbour for nothing at all.", "You paid me.", "No."]


def heads(*shape, scale=1.0):
    generator = torch.Generator().manual_seed(len(shape) + shape[1])
    return (scale * torch.randn(shape, generator=generator)).bfloat16()


@pytest.mark.parametrize("shared", [1, 3, 6])
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_rows_attend_as_with_the_fused_kernel_and_as_precisely(shared, scale):
    mask = sheet([[1, 2, 3, 4], [1, 2, 5], [6, 7, 8, 9, 10]], [[0, 1], [2]], 0, torch.ones(1).bfloat16())
    mask = mask.inputs["attention_mask"]
    query, key, value = heads(2, 6, 5, 8, scale=scale), heads(2, shared, 5, 8, scale=scale), heads(2, shared, 5, 8)
    found, _ = attention._rows_attention(torch.nn.Identity(), query, key, value, mask)
    key, value = (part.repeat_interleave(6 // shared, dim=1) for part in (key, value))
    exact = scaled_dot_product_attention(*(part.double() for part in (query, key, value, mask))).transpose(1, 2)
    fused = scaled_dot_product_attention(query, key, value, mask).transpose(1, 2)
    assert (found - exact).norm() < 1.5 * (fused - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_in_bf16_are_as_near_to_fp32_as_with_the_fused_kernel(tiny, architecture, monkeypatch):
    exact = extract(tiny(architecture), TEXTS)
    found = extract(tiny(architecture, "bf16"), TEXTS)
    monkeypatch.setattr(attention, "_NAME", "sdpa")
    fused = extract(tiny(architecture, "bf16"), TEXTS)
    assert (found.float() - exact).norm() < 1.5 * (fused.float() - exact).norm()


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_only_bf16_is_read_that_way_and_the_model_is_left_as_it_was(tiny, monkeypatch, dtype):
    model, calls = tiny("llama", dtype), []

    def counted(*given, **named):
        calls.append(1)
        return attention._rows_attention(*given, **named)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, attention._NAME, counted)
    extract(model, TEXTS)
    assert bool(calls) == (dtype == "bf16")
    assert model.network.config._attn_implementation == "sdpa"


def test_an_error_leaves_the_model_as_it_was(tiny):
    network = tiny("llama", "bf16").network
    with pytest.raises(KeyboardInterrupt), suited_attention(network):
        assert network.config._attn_implementation != "sdpa"
        raise KeyboardInterrupt
    assert network.config._attn_implementation == "sdpa"

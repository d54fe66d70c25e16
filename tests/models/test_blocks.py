"""Decoder blocks, found by what runs; whatever hands on something else than one state per token is refused."""

import pytest
import torch
from torch import nn

from xlv.models.advice import ModelError
from xlv.models.blocks import find_base, find_blocks, state_of


def test_a_list_as_long_and_heavier_that_no_text_runs_through_holds_no_blocks(tiny):
    network = tiny("llama").network
    blocks = find_blocks(network)
    network.base_model.tower = nn.ModuleList(nn.Linear(900, 900) for _ in range(4))
    assert find_blocks(network) is blocks


def test_the_base_of_a_network_that_names_none_is_the_part_that_holds_its_blocks(tiny, monkeypatch):
    network = tiny("llama").network
    base = network.model
    monkeypatch.setattr(type(network), "base_model_prefix", "nothing")
    assert network.base_model is network and find_base(network) is base and find_blocks(network) is base.layers


@pytest.mark.parametrize("output", [torch.ones(1), (torch.ones(1), None), [torch.ones(1)], ((torch.ones(1), 2), 3)])
def test_a_state_is_the_first_thing_in_whatever_a_block_hands_on(output):
    assert torch.equal(state_of(output), torch.ones(1))


def changed_block(network, change):
    return network.model.layers[2].register_forward_hook(lambda _module, _inputs, output: change(output))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda _: (_ for _ in ()).throw(ValueError("needs\na picture")),
            r"cannot read a text alone \(needs a picture\)",
        ),
        (lambda output: output.tile(1, 1, 2)[..., :48], "cannot read a text alone"),
    ],
)
def test_a_network_that_fails_on_a_text_is_refused_in_one_line(tiny, change, message):
    network = tiny("llama").network
    changed_block(network, change)
    with pytest.raises(ModelError, match=message) as refused:
        find_blocks(network)
    assert "\n" not in str(refused.value)


def test_states_of_another_width_than_the_model_s_are_refused_with_both_shapes(tiny):
    network = tiny("llama").network
    network.config.hidden_size = 48
    with pytest.raises(ModelError, match=r"hand on states \[1, 4, 32\] for a text of 4 tokens, expected \[1, 4, 48\]"):
        find_blocks(network)


def test_blocks_that_run_again_and_again_are_refused(tiny, monkeypatch):
    network = tiny("llama").network
    base = network.model
    original = base.forward
    monkeypatch.setattr(base, "forward", lambda **given: original(**given) and original(**given))
    with pytest.raises(ModelError, match="runs no 4 blocks once each for a text alone"):
        find_blocks(network)

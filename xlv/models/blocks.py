"""The decoder blocks of a network, found by structure and by one pass; what they hand on."""

from contextlib import ExitStack

import torch
from torch import nn
from transformers import PreTrainedModel

from xlv.models.advice import ModelError

_PASS = 4  # tokens of the pass in which blocks are found


def find_base(network: PreTrainedModel) -> PreTrainedModel:
    """The network below its head, whose output is `last_hidden_state`."""
    parts = (network.base_model, network.get_decoder(), *network.children())
    return next((m for m in parts if isinstance(m, PreTrainedModel) and m is not network), network)


def state_of(output: object) -> torch.Tensor:
    """The hidden state that a block, or a part of it, hands on: its output, or the first thing in it."""
    while isinstance(output, tuple | list):
        output = output[0]
    return output


@torch.no_grad()
def find_blocks(network: PreTrainedModel) -> nn.ModuleList:
    """The decoder blocks: of the lists as long as the language model is deep, and run for a text, the heaviest.

    Raises ModelError, saying why, for a network that xlv cannot read: its blocks have to hand on one state `[d_model]`
    for each token.
    """
    name, config, base = type(network).__name__, network.config.get_text_config(), find_base(network)
    # LongCat counts attention layers, two in a block, and blocks apart.
    depths = {getattr(config, count, None) for count in ("num_hidden_layers", "num_layers")} - {None}
    depth = " or ".join(map(str, sorted(depths))) or "unknown number of"
    lists = [m for m in base.modules() if isinstance(m, nn.ModuleList) and len(m) in depths]
    if not lists:
        raise ModelError(f"found no list of {depth} decoder blocks in {name}: not a model xlv can read")
    handed = _one_pass(base, {block for blocks in lists for block in blocks})
    run = [blocks for blocks in lists if all(len(handed[block]) == 1 for block in blocks)]
    if not run:
        raise ModelError(f"{name} runs no {depth} blocks once each for a text alone: not a model xlv can read")
    blocks = max(run, key=lambda blocks: sum(p.numel() for p in blocks.parameters()))
    wanted = [1, _PASS, config.hidden_size]
    if odd := [shape for block in blocks for shape in handed[block] if shape != wanted]:
        found = f"the blocks of {name} hand on states {odd[0]} for a text of {_PASS} tokens, expected {wanted}"
        raise ModelError(f"{found}: not a model xlv can read")
    return blocks


def _one_pass(base: PreTrainedModel, blocks: set[nn.Module]) -> dict[nn.Module, list[list[int]]]:
    """The shape of what each block hands on, each time that it runs, in a pass over a few tokens."""
    handed: dict[nn.Module, list[list[int]]] = {block: [] for block in blocks}

    def keep(block: nn.Module, _inputs, output) -> None:
        handed[block].append(list(state_of(output).shape))

    tokens = torch.arange(1, _PASS + 1, device=base.device)[None]
    with ExitStack() as hooks:
        for block in blocks:
            hooks.enter_context(block.register_forward_hook(keep))
        try:
            base(input_ids=tokens, use_cache=False).last_hidden_state  # noqa: B018
        except Exception as error:
            fault = f"{type(base).__name__} cannot read a text alone ({' '.join(str(error).split())[:200]})"
            raise ModelError(f"{fault}: not a model xlv can read") from error
    return handed

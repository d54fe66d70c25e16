"""The decoder blocks of a network, found by structure."""

from torch import nn
from transformers import PreTrainedModel

from xlv.models.advice import ModelError


def find_blocks(network: PreTrainedModel) -> nn.ModuleList:
    """The decoder blocks: of the lists as long as the language model is deep, that which holds most of its weights."""
    if getattr(network.config, "is_encoder_decoder", False):
        raise ModelError(f"{type(network).__name__} is an encoder-decoder: expected a decoder-only model")
    depth = network.config.get_text_config().num_hidden_layers
    decoder = network.get_decoder() or network.base_model  # of a model that sees, its language model only
    found = [m for m in decoder.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    if not found:
        fault = f"found no list of {depth} decoder blocks in {type(network).__name__}"
        raise ModelError(f"{fault}: not a model xlv can read")
    return max(found, key=lambda blocks: sum(p.numel() for p in blocks.parameters()))

"""Attention of many short rows in bf16 on a processor, where PyTorch's fused kernel is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask

_NAME = "xlv_rows"
_WIDEST = 1024  # tokens of a row; the scores of all pairs of tokens in wider ones would take too much memory


@contextmanager
def suited_attention(network: PreTrainedModel) -> Iterator[None]:
    """Let a model read rows in bf16 on a processor with the attention below; any other model as it is."""
    config = network.config.get_text_config()
    before = config._attn_implementation
    if before == "sdpa" and network.device.type == "cpu" and network.dtype == torch.bfloat16:
        config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _rows_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options,
) -> tuple[torch.Tensor, None]:
    """Attention `[row, token, head, d_head]` in plain matrix products, what is not a masked row by the fused kernel.

    Query heads that share keys are one product, so that keys need not be repeated. Scores are in fp32 as in the fused
    kernel: a model whose scores are large loses twice the precision to them in bf16.
    """
    rows, heads, tokens, width = query.shape
    shared = key.shape[1]
    if (
        attention_mask is None
        or attention_mask.dtype == torch.bool
        or not tokens == key.shape[2] == attention_mask.shape[-1] <= _WIDEST
        or attention_mask.shape[1] != 1
        or any(options.get(name) is not None for name in ("position_bias", "cache", "softcap"))
    ):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **options)
    grouped = query.float().reshape(rows, shared, -1, width)
    scores = (grouped @ key.float().transpose(2, 3)).view(rows, shared, heads // shared, tokens, tokens)
    scores.mul_(width**-0.5 if scaling is None else scaling).add_(attention_mask[:, :, None])
    weights = scores.softmax(-1).to(value.dtype).view(rows, shared, -1, tokens)
    return (weights @ value).view(rows, heads, tokens, -1).transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _rows_attention)
# Whole masks also where a fused kernel would need none: a model that does not know the name goes its plainest way.
AttentionMaskInterface.register(_NAME, eager_mask)

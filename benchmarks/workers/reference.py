"""A simple efficient extraction: distinct texts once, no vocabulary head, batches of like length, hooks."""

import torch
from loading import load

BUDGET = 1024


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.network, self.tokenizer = load(folder, dtype)

    @torch.inference_mode()
    def states(self, groups: list[list[str]]) -> torch.Tensor:
        texts = [text for group in groups for text in group]
        distinct = list(dict.fromkeys(texts))
        ids = self.tokenizer(distinct)["input_ids"]
        base, layers = self.network.model, self.network.model.layers
        kept, last = {}, None

        def keep(layer):
            def hook(_module, _inputs, output):
                hidden = output[0] if isinstance(output, tuple) else output
                kept[layer] = hidden[torch.arange(len(last)), last]

            return hook

        handles = [block.register_forward_hook(keep(layer)) for layer, block in enumerate(layers[:-1])]
        found = [None] * len(distinct)
        for batch in by_length([len(row) for row in ids]):
            width = len(ids[batch[-1]])
            rows = torch.tensor([ids[i] + [0] * (width - len(ids[i])) for i in batch])
            last = torch.tensor([len(ids[i]) - 1 for i in batch])
            final = base(input_ids=rows, use_cache=False).last_hidden_state[torch.arange(len(batch)), last]
            for i, state in zip(batch, torch.stack([*(kept[k] for k in sorted(kept)), final], dim=1), strict=True):
                found[i] = state
        for handle in handles:
            handle.remove()
        where = {text: i for i, text in enumerate(distinct)}
        return torch.stack([found[where[text]] for text in texts])


def by_length(lengths: list[int]) -> list[list[int]]:
    """Indices sorted by length, in batches of at most BUDGET padded tokens."""
    result: list[list[int]] = [[]]
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if result[-1] and lengths[i] * (len(result[-1]) + 1) > BUDGET:
            result.append([])
        result[-1].append(i)
    return result

"""Last tokens read fast: hooks keep only what is asked for, and the last MLP does no work that nobody reads."""

from collections.abc import Sequence
from threading import local
from typing import Self

import torch

from xlv.models.fast.packing import Row, run_batches, sheet
from xlv.models.load import Model


class _Reading(local):
    """What a thread reads: where its texts end, and the states taken there, by layer."""

    rows = columns = torch.empty(0, dtype=torch.long)
    shape: torch.Size | None = None  # of what an MLP would have been given

    def __init__(self) -> None:
        self.taken: dict[int, torch.Tensor] = {}


class _LastTokens:
    """Hooks that keep, of every block's output, only what stands at the last tokens of the texts a thread reads."""

    def __init__(self, model: Model) -> None:
        self.reading = _Reading()
        # The final norm belongs to layer L, so its state is read off the base model's output instead.
        self.layers = range(1, model.n_layers)
        self.handles = [model.blocks[layer - 1].register_forward_hook(self._keep(layer)) for layer in self.layers]
        # No later block reads the other tokens, so that the last one's MLP, which sees one token at a time, skips them.
        if (mlp := getattr(model.blocks[-1], "mlp", None)) is not None:
            self.handles += [mlp.register_forward_pre_hook(self._narrow), mlp.register_forward_hook(self._widen)]

    def _keep(self, layer: int):
        def hook(_module, _inputs, output):
            hidden = output[0] if isinstance(output, tuple) else output
            self.reading.taken[layer] = self._last(hidden)

        return hook

    def _narrow(self, _module, inputs):
        whole = inputs and inputs[0].dim() == 3
        self.reading.shape = inputs[0].shape if whole else None
        if whole:
            return tuple(self._last(part)[None] if self._stands_in_rows(part) else part for part in inputs)

    def _widen(self, _module, _inputs, output):
        if self.reading.shape is None:
            return output
        narrow, *rest = output if isinstance(output, tuple) else (output,)
        hidden = narrow.new_zeros(self.reading.shape)
        hidden[self._places(hidden.device)] = narrow[0]
        return (hidden, *rest) if isinstance(output, tuple) else hidden

    def _stands_in_rows(self, part) -> bool:
        return isinstance(part, torch.Tensor) and part.shape[:2] == self.reading.shape[:2]

    def _places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        return self.reading.rows.to(device), self.reading.columns.to(device)

    def _last(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[self._places(hidden.device)]

    def read(self, base: torch.nn.Module, inputs: dict, rows: list[int], columns: list[int]) -> list[torch.Tensor]:
        """States `[text, d_model]` of every layer at a place of a row for each text."""
        self.reading.rows, self.reading.columns, self.reading.taken = torch.tensor(rows), torch.tensor(columns), {}
        final = self._last(base(**inputs, use_cache=False).last_hidden_state)
        return [*(self.reading.taken[layer] for layer in self.layers), final]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception) -> None:
        for handle in self.handles:
            handle.remove()


def read_fast(model: Model, texts: Sequence[str], token_budget: int | None = None) -> torch.Tensor:
    """Hidden states `[example, layer, d_model]` of each text's last token: equal to `read_plainly` up to rounding.

    Through the base model only, several texts in a row where the model can have that, what they begin with computed
    once. Batches halve when memory runs out. Raises ModelError for a text that is too long for the memory.
    """
    ids = model.token_ids(list(texts))
    states = torch.empty(len(ids), model.n_layers, model.d_model, dtype=model.network.dtype)
    like, pad = next(model.network.parameters()), model.tokenizer.pad_token_id or 0

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        layers = last.read(model.network.base_model, inputs, rows, [path[-1] for path in paths])
        states[indices] = torch.stack([layer.cpu() for layer in layers], dim=1)

    with _LastTokens(model) as last:
        run_batches(model, ids, read, token_budget)
    return states

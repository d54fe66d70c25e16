"""Hooks that keep, of what every block hands on, only what stands at the places that are read."""

from contextlib import ExitStack
from functools import partial
from threading import local

import torch

from xlv.models.advice import ModelError
from xlv.models.blocks import find_base, state_of
from xlv.models.model import Model


class LastTokens(ExitStack):
    """Reads states at given places of rows, while its context lasts; one for all threads.

    Where `narrow` is true, the last block's MLP skips all other tokens: no later block reads them. It has to be one
    that sees one token at a time, with nothing behind it in its block that mixes tokens.
    """

    def __init__(self, model: Model, *, narrow: bool) -> None:
        super().__init__()
        self.base, self.width = find_base(model.network), model.d_model
        self.reading = local()  # of each thread: rows and columns of its places, states taken there, by layer
        self.layers = range(1, model.n_layers + 1)
        for layer in self.layers:
            self.enter_context(model.blocks[layer - 1].register_forward_hook(partial(self._keep, layer)))
        if narrow and (mlp := getattr(model.blocks[-1], "mlp", None)) is not None:
            self.enter_context(mlp.register_forward_pre_hook(self._narrow))
            self.enter_context(mlp.register_forward_hook(self._widen))

    def read(self, inputs: dict[str, torch.Tensor], rows: list[int], columns: list[int]) -> torch.Tensor:
        """States `[place, layer, d_model]` in the dtype they are handed on in, layers 1 … L.

        The last one is the network's last hidden state, behind the final norm; where that has another width, as in
        OPT-350m, what the last block hands on.
        """
        self.reading.rows, self.reading.columns, self.reading.taken = torch.tensor(rows), torch.tensor(columns), {}
        final = self._at_places(self.base(**inputs, use_cache=False).last_hidden_state)
        taken = [self.reading.taken[layer] for layer in self.layers]
        states = [*taken[:-1], final if final.shape[-1] == self.width else taken[-1]]
        return torch.stack([state.to(final.device) for state in states], dim=1)

    def _keep(self, layer: int, _module, _inputs, output) -> None:
        self.reading.taken[layer] = self._at_places(state_of(output))

    def _narrow(self, _module, inputs):
        self.reading.shape = shape = inputs[0].shape if inputs and inputs[0].dim() == 3 else None
        if shape is not None:
            whole = [isinstance(part, torch.Tensor) and part.shape[:2] == shape[:2] for part in inputs]
            pairs = zip(inputs, whole, strict=True)
            return tuple(self._at_places(part)[None] if in_rows else part for part, in_rows in pairs)

    def _widen(self, _module, _inputs, output):
        if self.reading.shape is None:
            return output
        narrow, *rest = output if isinstance(output, tuple) else (output,)
        hidden = narrow.new_zeros(self.reading.shape)
        hidden[self._places(hidden.device)] = narrow[0]
        return (hidden, *rest) if isinstance(output, tuple) else hidden

    def _places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        return self.reading.rows.to(device), self.reading.columns.to(device)

    def _at_places(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[self._places(hidden.device)]


def require_finite(model: Model, states: torch.Tensor, texts: str = "") -> None:
    """Raise ModelError unless states `[text, layer, d_model]` of `texts` are finite: where not, why, the remedy."""
    bad = ~states.isfinite().all(-1).all(0)
    if not bad.any():
        return
    layer, of = 1 + int(bad.nonzero()[0]), f", in texts of {texts}" if texts else ""
    weights = ((name, w) for name, w in model.network.named_parameters() if w.is_floating_point() and not w.is_meta)
    if damaged := next((name for name, w in weights if not w.isfinite().all()), None):
        fault = f"the weight {damaged} of {model.name} holds values that are not finite"
        raise ModelError(f"{fault}, and so do its states from layer {layer} on{of}: fetch or copy the model again")
    remedies = {"fp16": "choose --dtype bf16 or fp32", "bf16": "choose --dtype fp32", "fp32": "are its weights sound?"}
    fault = f"the states of {model.name} overflow in {model.dtype} from layer {layer} on{of}"
    raise ModelError(f"{fault}: {remedies[model.dtype]}")

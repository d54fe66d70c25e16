"""Steering: add a concept vector to the residual stream, or take its direction out, while a model runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from xlv.models.load import Model

Vectors = Mapping[int, torch.Tensor]


def _checked(model: Model, vectors: Vectors) -> dict[int, torch.Tensor]:
    """The vectors in the model's dtype on their blocks' devices; ValueError for a layer or width the model lacks."""
    for layer, vector in vectors.items():
        if not 1 <= layer < model.n_layers:
            raise ValueError(
                f"cannot steer layer {layer}: expected 1 to {model.n_layers - 1} (layer {model.n_layers} lies behind "
                "the final norm)"
            )
        if tuple(vector.shape) != (model.d_model,):
            raise ValueError(
                f"the vector of layer {layer} has shape {tuple(vector.shape)}, expected ({model.d_model},)"
            )
        if not torch.isfinite(vector).all():
            raise ValueError(f"the vector of layer {layer} holds values that are not finite")
    devices = {layer: next(model.blocks[layer - 1].parameters()).device for layer in vectors}
    return {layer: vector.to(device=devices[layer], dtype=model.network.dtype) for layer, vector in vectors.items()}


@contextmanager
def _hooked(model: Model, edits: Mapping[int, object]) -> Iterator[None]:
    handles = []
    try:
        for layer, edit in edits.items():

            def hook(_module, _inputs, output, edit=edit):
                return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

            handles.append(model.blocks[layer - 1].register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def activation_addition(model: Model, vectors: Vectors, strength: float) -> Iterator[None]:
    """h'_k = h_k + s·v_k at every token of the prompt and of what is generated, at each layer k of `vectors`.

    `vectors` maps layers 1 … L−1 to vectors `[d_model]` (section 5.1 of the paper). The model is left as it was
    found, also after an exception or an interrupt; a strength of zero installs no hook at all.
    Raises ValueError for layers, widths or values the model cannot have.
    """
    added = {layer: strength * vector for layer, vector in _checked(model, vectors).items()}
    edits = {layer: (lambda hidden, term=term: hidden + term) for layer, term in added.items()} if strength else {}
    with _hooked(model, edits):
        yield


@contextmanager
def directional_ablation(model: Model, vectors: Vectors) -> Iterator[None]:
    """h'_k = h_k − (h_k·u)u with u = v_k / ‖v_k‖, at every token and each layer k of `vectors` (Arditi et al. 2024)."""
    units = {layer: vector / vector.norm() for layer, vector in _checked(model, vectors).items()}
    edits = {
        layer: (lambda hidden, unit=unit: hidden - (hidden @ unit)[..., None] * unit) for layer, unit in units.items()
    }
    with _hooked(model, edits):
        yield


def relative_dose(vectors: Vectors, strength: float, residual_norms: Mapping[int, float]) -> float:
    """Mean over layers of |s|·‖v_k‖ over the mean residual norm at k: doses that compare across settings."""
    shares = [abs(strength) * float(vector.norm()) / residual_norms[layer] for layer, vector in vectors.items()]
    return sum(shares) / len(shares)

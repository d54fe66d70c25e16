"""Steering: add a concept vector to the residual stream, or take its direction out, while a model runs."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Protocol
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from xlv.models.advice import ModelError
from xlv.models.blocks import state_of
from xlv.models.model import Model, as_model

Vectors = Mapping[int, torch.Tensor]
Some = Iterable[int] | None  # layers; None: all that can be steered
Edit = Callable[[torch.Tensor], torch.Tensor]
_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn", "fc2")
SHUT, OPEN = torch.zeros(1, dtype=torch.bool), torch.ones(1, dtype=torch.bool)  # for every row of a pass


class HasLayers(Protocol):
    """Concept vectors: anything that maps layers to vectors in its attribute `layers`."""

    layers: Vectors


def chosen(vectors: Vectors, layers: Iterable[int]) -> dict[int, torch.Tensor]:
    """The vectors of some layers, or of one; raises ValueError for one that there is not."""
    wanted = list(layers) if isinstance(layers, Iterable) else [layers]
    if missing := [k for k in wanted if k not in vectors]:
        raise ValueError(f"no vector of layer {missing[0]}: expected layers {min(vectors)} to {max(vectors)}")
    return {k: vectors[k] for k in wanted}


def _checked(model: Model, vectors: Vectors) -> dict[int, torch.Tensor]:
    """The vectors in the model's dtype on their blocks' devices; ValueError for a layer or width the model lacks."""
    if not vectors or model.n_layers < 2:
        raise ValueError(f"no layer to steer: expected some of 1 to {model.n_layers - 1}, of {model.n_layers} in all")
    found = {}
    for layer, vector in vectors.items():
        if layer not in range(1, model.n_layers):
            steered = f"expected 1 to {model.n_layers - 1} (layer {model.n_layers} lies behind the final norm)"
            raise ValueError(f"cannot steer layer {layer}: {steered}")
        found[layer] = _on_block(model, layer, vector, f"the vector of layer {layer}")
    return found


def _on_block(model: Model, layer: int, vector: object, what: str = "the vector") -> torch.Tensor:
    if (shape := tuple(getattr(vector, "shape", ()))) != (model.d_model,):
        raise ValueError(f"{what} has shape {shape}, expected ({model.d_model},)")
    vector = torch.as_tensor(vector)
    if not torch.isfinite(vector).all():
        raise ValueError(f"{what} holds values that are not finite")
    return vector.to(next(model.blocks[layer - 1].parameters()).device, model.network.dtype)


@dataclass(frozen=True, eq=False)
class Gate:
    """Lets steering act only on prompts that the model itself reads as lying on one side of a threshold.

    It opens where the state of a prompt's last token after block `layer`, m = 1 … L−1, has ⟨h_m, w⟩ > θ unsteered: w is
    the `vector` `[d_model]`, for harm one of harmfulness times −1; θ is the `threshold`, ValueError if not finite.
    """

    vector: torch.Tensor
    layer: int
    threshold: float

    def __post_init__(self) -> None:
        if not (hasattr(self.threshold, "__float__") and math.isfinite(float(self.threshold))):
            raise ValueError(f"the gate's threshold is {self.threshold!r}: expected a finite number")


class Gated:
    """A gate on a model's steering, which acts on `rows` of each pass, `[row]` or `[1]` for all; None: undecided."""

    def __init__(self, model: Model, gate: Gate) -> None:
        if model.network in _gated:
            raise ValueError("the model is under another gate: expected one at a time, leave that first")
        if not hasattr(gate.layer, "__index__") or gate.layer not in range(1, model.n_layers):
            raise ValueError(f"the gate's layer is {gate.layer!r}: expected 1 to {model.n_layers - 1}")
        device = _on_block(model, gate.layer, gate.vector, "the gate's vector").device
        self.vector = torch.as_tensor(gate.vector).to(device, torch.float32)  # not rounded as the weights are
        self.block, self.threshold, self.rows = model.blocks[gate.layer - 1], float(gate.threshold), None

    def watch(self, states: list[torch.Tensor]) -> RemovableHandle:
        """Add to a list what the gate reads in each pass: the states `[row, d_model]` of last tokens."""
        return self.block.register_forward_hook(lambda _m, _in, output: states.append(state_of(output)[:, -1].clone()))

    def opens(self, states: torch.Tensor) -> torch.Tensor:
        """For which states `[row, d_model]` the gate opens, `[row]`."""
        return (states.float() @ self.vector.to(states.device) > self.threshold).cpu()

    def add(self, term: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states with a term added in the rows that are steered."""
        if self.rows is None:
            raise ValueError("a gate opens only for prompts that xlv.generate reads: use that, or steer without a gate")
        return hidden + torch.where(self.rows[:, None, None].to(hidden.device), term, 0) if self.rows.any() else hidden


_gated: WeakKeyDictionary[nn.Module, Gated] = WeakKeyDictionary()  # in force, by network


@contextmanager
def acting_on(model: Model, rows: torch.Tensor) -> Iterator[Gated | None]:
    """Let gated steering, if there is any, act on these rows of each pass; gives the gate if nobody had decided."""
    gated = _gated.get(model.network) or SimpleNamespace(rows=OPEN)
    before, gated.rows = gated.rows, rows
    try:
        yield gated if before is None else None
    finally:
        gated.rows = before


@contextmanager
def _edited(outputs: Iterable[tuple[nn.Module, Edit]], inputs: Iterable[tuple[nn.Module, Edit]] = ()) -> Iterator[None]:
    """Change the outputs, and the inputs, of modules while the context lasts; they are left as they were found."""

    def after(edit: Edit, module, inputs, output):
        if isinstance(output, tuple | list):  # the hidden state is the first thing in it
            make = getattr(output, "_make", type(output))  # of named tuples
            return make([after(edit, module, inputs, output[0]), *output[1:]])
        return edit(output)

    def before(edit: Edit, _module, args, kwargs):
        if args:
            return (edit(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": edit(kwargs["hidden_states"])}

    with ExitStack() as hooks:
        for module, edit in outputs:
            hooks.enter_context(module.register_forward_hook(partial(after, edit)))
        for module, edit in inputs:
            hooks.enter_context(module.register_forward_pre_hook(partial(before, edit), with_kwargs=True))
        yield


@contextmanager
def steer(
    model: Model, vectors: HasLayers | Vectors, strength: float, layers: Some = None, gate: Gate | None = None
) -> Iterator[None]:
    """Activation addition: h'_k = h_k + s·v_k at every token, of the prompt and of what is generated (section 5.1).

    `vectors` are concept vectors, or map layers 1 … L−1 to `[d_model]`, or are `[layer, d_model]` of all layers, of
    NumPy or PyTorch; `layers` is K, by default all that can be steered. It is a research instrument and applies what it
    is given, in either direction. The model is left as it was found, also after an exception or an interrupt; a
    strength of zero installs no hook at all.

    With a `gate`, prompts are read without steering, which decides, row by row; those for which it opens are read again
    with it, and steered in what is generated; the others go on as they are. It works with `xlv.generate` and
    `ReadPrompts`, one gate at a time; a pass of the network itself, which knows no prompt's end, raises ValueError.
    Raises ValueError for layers, widths or values the model cannot have.
    """
    known = getattr(vectors, "layers", vectors)
    if getattr(known, "shape", None) == (as_model(model).n_layers, model.d_model):
        known = dict(enumerate(known, 1))
    if not isinstance(known, Mapping):
        raise ValueError(f"expected concept vectors, or one by layer, got {type(known).__name__} {str(known)[:40]!r}")
    number = float(strength) if hasattr(strength, "__float__") else math.nan
    if not math.isfinite(number):
        raise ValueError(f"the strength is {strength!r}: expected a finite number")
    if layers is None:
        layers = [k for k in known if k < model.n_layers] if known is not vectors else known
    added = {k: number * vector for k, vector in _checked(model, chosen(known, layers)).items()}
    gated = None if gate is None else Gated(model, gate)
    add = torch.add if gated is None else gated.add
    edits = [(model.blocks[k - 1], partial(add, term)) for k, term in added.items()]
    with _edited(edits if number else []), ExitStack() as stack:
        if gated and number:
            _gated[model.network] = gated
            stack.callback(_gated.pop, model.network)
        yield


def _without(vector: torch.Tensor) -> Edit:
    """Takes a direction out of hidden states, in their own dtype: a residual stream may be wider than the weights."""
    if not vector.any():
        raise ValueError("a vector of zeros has no direction to take out")
    unit = vector / vector.norm()
    return lambda hidden: hidden - (hidden @ unit.to(hidden.dtype))[..., None] * unit.to(hidden.dtype)


@contextmanager
def layer_ablation(model: Model, vectors: Vectors) -> Iterator[None]:
    """h'_k = h_k − (h_k·u_k)u_k with u_k = v_k / ‖v_k‖, at every token and each layer k of `vectors`.

    Each layer loses the direction of its own vector, and only there: milder than `directional_ablation`.
    """
    found = _checked(as_model(model), vectors)
    with _edited([(model.blocks[layer - 1], _without(vector)) for layer, vector in found.items()]):
        yield


@contextmanager
def directional_ablation(model: Model, vector: torch.Tensor) -> Iterator[None]:
    """Directional ablation (Arditi et al. 2024): no block reads one direction, `[d_model]`, at any token.

    The direction is taken out of the input of every block and of the outputs of its attention and its MLP. A norm
    behind these (Gemma 3, OLMo 2) may bring some of it back, which the next block does not see.
    Raises ValueError for a vector the model cannot have, ModelError for blocks whose parts are not found by name.
    """
    inputs, outputs = [], []
    for layer, block in enumerate(as_model(model).blocks, 1):
        edit = _without(_on_block(model, layer, vector))
        inputs.append((block, edit))
        outputs += [(_part(block, names), edit) for names in (_ATTENTION, _MLP)]
    with _edited(outputs, inputs):
        yield


def _part(block: nn.Module, names: tuple[str, ...]) -> nn.Module:
    found = next((getattr(block, name) for name in names if isinstance(getattr(block, name, None), nn.Module)), None)
    if found is None:
        parts = ", ".join(name for name, _ in block.named_children())
        raise ModelError(f"found none of {', '.join(names)} in {type(block).__name__}, which has {parts}")
    return found


def relative_dose(vectors: Vectors, strength: float, residual_norms: Mapping[int, float]) -> float:
    """Mean over layers of |s|·‖v_k‖ over the mean residual norm at k: doses that compare across settings."""
    shares = [abs(strength) * float(vector.norm()) / residual_norms[layer] for layer, vector in vectors.items()]
    return sum(shares) / len(shares)

"""One prompt, steered beside unsteered: for trying the value-affirming directions by hand."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from xlv.cache import Progress, silent
from xlv.control.conditions import SIGN, addition, setting_at
from xlv.control.search import layer_windows
from xlv.models.decoding import generate
from xlv.models.load import load_model
from xlv.models.vectors import ConceptVectors, concept_vectors
from xlv.schema import REFUSING
from xlv.settings import DEFAULT_LOADING, ControlSettings, Loading, Search


class Steered(NamedTuple):
    """Completions of a prompt without and with control, and what the control was."""

    plain: str
    steered: str
    direction: str
    layers: tuple[int, ...]
    strength: float


def checked_direction(model: str, concept: str, direction: str, dose: float) -> str:
    """The direction of a concept that a person may try on any prompt.

    For harmfulness towards refusing, for any other concept towards its positive side. Raises ValueError for the
    direction towards following, also in the guise of a negative dose.
    """
    allowed = "refusing" if concept == "harmfulness" else "positive"
    asked = direction or allowed
    if asked != allowed or not 0 < dose < math.inf:
        raise ValueError(
            f"only the direction {allowed!r} of {concept}, with a dose above zero, is open to any prompt: that "
            f"towards following is measured on the corpus's own instructions, by `xlv run {model} --control`"
        )
    return asked


def steer(
    model: str,
    prompt: str,
    *,
    settings: ControlSettings,
    vectors: Path | None = None,
    direction: str = "",
    dose: float = 0.04,
    window: tuple[float, float] = (0.4, 0.7),
    loading: Loading = DEFAULT_LOADING,
    progress: Progress = silent,
) -> Steered:
    """Complete a prompt with and without a concept's vector: `settings.concept`, of `settings.source`, or from a file.

    `vectors` is a file that `ConceptVectors.save` wrote, whose header says which concept it is of. `dose` is |s|·‖v‖
    over the mean residual norm, `window` the span of relative depth. A model without a chat template reads raw text
    where the settings name the chat template.
    Raises ValueError for a direction that is not value-affirming, for a prompt that is too long, for vectors of another
    model, and as loading does.
    """
    windows = Search(windows=(window,)).windows  # checked
    kept = ConceptVectors.load(vectors) if vectors else None
    concept = kept.origin.get("concept") if kept else settings.concept
    if not concept:
        raise ValueError(f"{vectors} does not say of which concept it is, so neither which side is the value's")
    asked = checked_direction(model, concept, direction, dose)
    loaded = load_model(model, dtype=settings.dtype, **asdict(loading), progress=progress)
    no_chat = settings.template == "chat" and not loaded.tokenizer.chat_template
    loaded = loaded.with_template("raw" if no_chat else settings.template)
    [layers] = layer_windows(loaded.n_layers, windows)
    loaded.token_ids(prompt, new=settings.tokens)  # a prompt that is too long is refused before anything is read
    if kept and kept.origin.get("weights") != loaded.weights_fingerprint:
        raise ValueError(f"{vectors} holds vectors of {kept.origin.get('model')}: {model} has other weights")
    size = {"pairs": settings.pairs, "data": settings.folder}
    found = kept or concept_vectors(loaded, concept, settings.source, **size)
    setting = setting_at(found, layers, (SIGN[REFUSING] if asked == "refusing" else 1) * dose)
    [plain] = generate(loaded, [prompt], max_new_tokens=settings.tokens)
    with addition(found, setting).apply(loaded):
        [steered] = generate(loaded, [prompt], max_new_tokens=settings.tokens)
    return Steered(plain, steered, asked, layers, setting.strength)

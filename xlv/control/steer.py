"""One prompt, steered beside unsteered: for trying the value-affirming directions by hand."""

from dataclasses import asdict
from typing import NamedTuple

from xlv.cache import Progress, silent
from xlv.control.conditions import SIGN, addition, setting_at
from xlv.control.names import REFUSING
from xlv.control.search import layer_windows
from xlv.models.decoding import generate
from xlv.models.load import load_model
from xlv.models.vectors import control_vectors
from xlv.settings import DEFAULT_LOADING, ControlSettings, Loading

HARM = "harmfulness"


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
    allowed = "refusing" if concept == HARM else "positive"
    asked = direction or allowed
    if asked not in ("refusing", "following", "positive"):
        raise ValueError(f"unknown direction {asked!r}: choose refusing (harmfulness) or positive (other concepts)")
    if asked != allowed or dose <= 0:
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
    direction: str = "",
    dose: float = 0.04,
    window: tuple[float, float] = (0.4, 0.7),
    loading: Loading = DEFAULT_LOADING,
    progress: Progress = silent,
) -> Steered:
    """Complete a prompt with and without a concept's vector (`settings.concept`, of `settings.source`).

    `dose` is |s|·‖v‖ over the mean residual norm, `window` the span of relative depth. A model without a chat template
    reads raw text. Raises ValueError for a direction that is not value-affirming, and as loading does.
    """
    if not 0 <= window[0] < window[1] <= 1:
        raise ValueError(f"expected a window of relative depth between 0 and 1, got {window[0]:g} to {window[1]:g}")
    asked = checked_direction(model, settings.concept, direction, dose)
    loaded = load_model(model, dtype=settings.dtype, **asdict(loading), progress=progress)
    loaded = loaded.with_template("chat" if loaded.tokenizer.chat_template else "raw")
    vectors = control_vectors(loaded, settings.concept, settings.source, settings)
    [layers] = layer_windows(loaded.n_layers, [window])
    setting = setting_at(vectors, layers, (SIGN[REFUSING] if asked == "refusing" else 1.0) * dose)
    [plain] = generate(loaded, [prompt], max_new_tokens=settings.tokens)
    with addition(vectors, setting).apply(loaded):
        [steered] = generate(loaded, [prompt], max_new_tokens=settings.tokens)
    return Steered(plain, steered, asked, layers, setting.strength)

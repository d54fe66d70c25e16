"""What goes wrong with a model's files, in one line that says what to do."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


class ModelError(ValueError):
    """A model that cannot be had; the message says what to do."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and notices off the terminal and out of notebooks."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_verbosity, hub_bars = hub_logging.get_verbosity(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        hub_logging.set_verbosity(hub_verbosity)
        if bars:
            logging.enable_progress_bar()  # the Hub's, too
        (enable_progress_bars if hub_bars else disable_progress_bars)()


@contextmanager
def explained(model: str, location: str) -> Iterator[None]:
    """Load quietly; what fails becomes a ModelError that says what to do."""
    try:
        with quiet():
            yield
    except Exception as error:
        text = str(error).strip()
        if "gated" in text or "401" in text or "403" in text:
            advice = "it is gated: accept its licence on its Hub page, then log in with `hf auth login`"
        elif "trust_remote_code" in text:
            advice = "it brings its own code: read it, then add --trust-remote-code"
        elif "/" in location and not location.startswith("/"):
            advice = "check the id and the network, or download it elsewhere and give the folder instead"
        else:
            kind = "of a kind that transformers does not know"
            advice = f"its files are damaged or {kind}; `xlv cache clear` drops cached ones"
        reason = text.splitlines()[0].rstrip(".") if text else type(error).__name__
        raise ModelError(f"cannot load {model}: {reason}. What to do: {advice}") from error

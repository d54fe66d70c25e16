"""What comes of a model whose files were damaged: the one judgement of all such campaigns."""

import time

import torch

from xlv.models.activations import extract
from xlv.models.load import load_model

FINE = ("refused", "read")


def outcome(path, sound: torch.Tensor, texts: list[str]) -> str:
    """One of FINE, refused in one line or read as the sound model is, or what happened instead."""
    start = time.monotonic()
    try:
        states = extract(load_model(str(path), dtype="fp32"), texts)
    except ValueError as error:
        found = "refused" if 10 < len(str(error)) < 2000 and "\n" not in str(error) else f"says {error}"
    except BaseException as error:
        found = f"raises {error!r}"
    else:
        found = "read" if torch.allclose(states, sound, atol=1e-5) else "other states"
    return found if time.monotonic() - start < 20 else "hangs"

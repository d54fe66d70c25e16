"""What goes wrong with a model's files, in one line that says what to do."""

import errno
import io
import json
import os
import re
import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from typing import TYPE_CHECKING

import safetensors
from huggingface_hub.errors import HfHubHTTPError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class ModelError(ValueError):
    """A model that cannot be had; the message says what to do, in one line whatever the files put into it."""

    def __init__(self, message: str) -> None:
        line = "".join(letter if letter.isprintable() else " " for letter in message)
        super().__init__(line if len(line) <= 1000 else f"{line[:600]} … {line[-300:]}")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and notices off the terminal and out of notebooks, unless they are asked for."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    if logging.get_verbosity() <= logging.INFO:  # asked for, as by `xlv -v`
        yield
        return
    with ExitStack() as before, warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
        for log in (logging, hub_logging):
            before.callback(log.set_verbosity, log.get_verbosity())
            log.set_verbosity_error()
        before.callback(disable_progress_bars if are_progress_bars_disabled() else enable_progress_bars)
        if logging.is_progress_bar_enabled():
            before.callback(logging.enable_progress_bar)  # the Hub's, too, which are therefore set behind it
        logging.disable_progress_bar()
        yield


@contextmanager
def explained(model: str, memory: str = "a smaller dtype or model, or another device") -> Iterator[None]:
    """Load quietly; what fails becomes a ModelError that says what to do, by its cause: kinds of errors, no words.

    `memory` says what is needed and there, for where memory runs out.
    """
    try:
        with quiet():
            yield
    except ModelError:
        raise
    except BaseException as error:
        panic = type(error).__module__ == "pyo3_runtime"  # of tokenizers, at files that it did not expect
        if not panic and not isinstance(error, Exception):
            raise
        text = str(error).strip()
        reason = " ".join(re.split(r"(?<!:)\n", text)[0].split()).rstrip(".") or type(error).__name__
        reason = f"{type(error).__name__} {reason}" if isinstance(error, LookupError | AttributeError) else reason
        if names := _not_converted(error):
            reason = f"the weights {listed(names)} do not have the number or the shapes that its config.json describes"
        chain = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
            chain.append(cause)
        if (status := _status(chain)) is not None:
            reason = f"the Hub answers with {status} ({type(_first(chain, HfHubHTTPError)).__name__})"
        raise ModelError(f"cannot load {model}: {reason[:999]}. What to do: {_advice(chain, memory)}") from error


def _first(chain: list[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((error for error in chain if isinstance(error, kinds)), None)


def _status(chain: list[BaseException]) -> int | None:
    return getattr(getattr(_first(chain, HfHubHTTPError), "response", None), "status_code", None)


def _advice(chain: list[BaseException], memory: str) -> str:
    """What to do by the kinds of errors that led to one another, the last first."""
    import torch
    from huggingface_hub import errors as hub
    from transformers import __version__

    status = _status(chain)
    if _first(chain, hub.GatedRepoError):
        return "it is gated: accept its licence on its Hub page, then log in with `hf auth login`"
    if _first(chain, hub.RevisionNotFoundError):
        return "give a revision (branch, tag or commit) that its Hub page lists"
    if _first(chain, hub.RepositoryNotFoundError) or status in (401, 403, 404):
        return "check the id; if it is private, log in with `hf auth login`"
    network = hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError, TimeoutError
    if status or _first(chain, *network) or any(type(one).__module__.startswith(("httpx", "httpc")) for one in chain):
        return "check the id and the network, try again later, or download it elsewhere and give the folder instead"
    full = os.strerror(errno.ENOMEM)  # of the system, which PyTorch and safetensors pass on as text only
    if _first(chain, MemoryError, torch.OutOfMemoryError) or any(full in str(one) for one in chain):
        return f"memory has run out: {memory}"
    frames = (frame for one in chain for frame in traceback.extract_tb(one.__traceback__))
    if any(frame.name == "resolve_trust_remote_code" for frame in frames):
        return "it brings its own code: read it, then add --trust-remote-code"
    if _first(chain, ImportError):
        return "install what it names"
    if _first(chain, safetensors.SafetensorError, json.JSONDecodeError, UnicodeDecodeError, EOFError):
        return "its files are damaged: fetch or copy them again"
    return f"see that its files are whole and belong together, and that transformers {__version__} knows such a model"


def _not_converted(error: BaseException) -> list[str]:
    """Weights that transformers could not make of those in the files, which it says in a notice only."""
    found = (frame.f_locals.get("loading_info") for frame, _ in traceback.walk_tb(error.__traceback__))
    return sorted({name for info in found for name in getattr(info, "conversion_errors", None) or ()})


# What cannot move a hidden state of text: computed buffers, towers of other kinds of input, layers that predict further
# ahead, heads that value.
_STILL = re.compile(
    r"(inv_freq|position_ids|rotary_emb\.\w+|(attn|attention)\.(masked_)?bias|causal_mask|embed_positions\.weights)$"
    r"|(^|[._])(vision|visual|image|img|video|audio|speech|multi_?modal|mm_projector|mtp|nextn|eagle|medusa|v_head)\w*\."
)


def check_loaded(info: dict, network: "PreTrainedModel", what: str) -> None:
    """Raise ModelError, naming the weights, where the checkpoint of `what` is not the whole of the network or more.

    `info` is what `from_pretrained` gives with `output_loading_info` (and `ignore_mismatched_sizes`, or it raises);
    tied heads and what the class itself ignores are no longer in it.
    """
    config = network.config.get_text_config()
    first, more = config.num_hidden_layers, getattr(config, "num_nextn_predict_layers", 0) or 0
    ahead = tuple(f".{layer}." for layer in range(first, first + min(more, 9)))
    lacking = sorted(name for name in info["missing_keys"] if not _STILL.search(name))
    spare = sorted(name for name in info["unexpected_keys"] if not _STILL.search(name))
    spare = [name for name in spare if not any(layer in name for layer in ahead)]
    other = [f"{name} is {list(here)}, expected {list(there)}" for name, here, there in sorted(info["mismatched_keys"])]
    faults = {"the files lack": lacking, "there is no place in the model for": spare, "of another shape:": other}
    said = [f"{fault} {listed(names)}" for fault, names in faults.items() if names]
    if said or info["error_msgs"]:
        kind = type(network).__name__
        reason = "; ".join(said or info["error_msgs"]).splitlines()[0]
        raise ModelError(f"cannot load {what} as {kind}: {reason}. What to do: {_completed(lacking, spare)}")


def listed(names: Collection[str]) -> str:
    """The first three of some names, and how many more there are."""
    first = list(names)[:3]
    return ", ".join(first) + (f" and {len(names) - len(first)} more" if len(names) > len(first) else "")


def _completed(lacking: list[str], spare: list[str]) -> str:
    """What makes a checkpoint whole, by the names that it lacks and those left over."""
    for name in spare:
        if prefix := next((name.removesuffix(end) for end in lacking if name.endswith(end)), ""):
            return f"save the model without the prefix {prefix!r} in the names of its weights"
    if any("lora_" in name for name in spare):
        return "merge its LoRA matrices into the weights (`merge_and_unload` of peft) and save it again"
    if any(name.endswith(("scale", "scale_inv", "scales", "qzeros", "absmax")) for name in spare):
        remedy = "give its config.json the quantization_config that its weights have"
        return f"{remedy}, or give the model before quantisation"
    if lacking and all("head" in name or "embed_out" in name for name in lacking):
        return "give the causal language model that it was made from; this one has no language-model head"
    return "give weights and a config.json that belong together, whole"

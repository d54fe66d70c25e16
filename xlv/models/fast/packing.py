"""Passes over batches of texts, in the layout that a network permits: each text once, whatever the memory."""

import re
from collections.abc import Callable, Sequence
from math import inf

import torch

from xlv.models.advice import ModelError
from xlv.models.fast.attention import suited_attention
from xlv.models.fast.probe import permits
from xlv.models.fast.rows import Ids, Layout, Row, batches, many_a_row, one_a_row, padded_size
from xlv.models.model import Model
from xlv.statistics.threads import AT_A_TIME, for_each

# Tokens a batch: on a processor, so few that its caches hold what passes between two layers; elsewhere, many.
_BUDGETS = {"cpu": 512}
_BUDGET = 16384
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # of CUDA and other devices; of the processor
_WINDOW = re.compile("window(_size)?$|attention_chunk_size$")  # names in a config of how far a layer sees


def run_batches(
    model: Model,
    ids: Ids,
    run: Callable[[list[Row]], None],
    budget: int | None = None,
    parts: Sequence[Sequence[int]] | None = None,
) -> None:
    """Call `run` on batches of rows of at most `budget` tokens, None: what suits the device; on a processor from
    several threads at a time, where the network permits that.

    Each of the `parts`, indices of texts, is batched for itself, so that the bits of its states do not depend on what
    else is read; by default all texts are one part. A part that runs out of memory begins anew with half the budget:
    `run` must stand being called again on its texts. Raises ModelError when one text alone is too much, or for a
    network that no text can be read with.
    """
    device, permitted = model.network.device, permits(model)
    # Not by the number of threads: batches, and with them rounding, are the same on every machine.
    multiple = AT_A_TIME if device.type == "cpu" and parts is None else 1
    # Weights that move between devices are moved for one pass at a time.
    alone = device.type != "cpu" or getattr(model.network, "hf_device_map", None) or not permitted.threads
    threads, inferring = torch.get_num_threads(), torch.is_inference_mode_enabled()  # of this thread only
    turns = 1 if alone else min(threads, AT_A_TIME)
    most = (budget or _BUDGETS.get(device.type, _BUDGET)) if permitted.together else 1
    todo = [(part, most) for part in ([range(len(ids))] if parts is None else parts)]
    with suited_attention(model.network):
        layout = layout_for(model, ids)
        while todo:
            failed: dict[int, list[Row]] = {}  # by part, a batch that did

            def read(job: tuple[int, list[Row]], failed: dict[int, list[Row]] = failed) -> None:
                part, batch = job
                with torch.inference_mode(inferring):
                    if part not in failed and not _fits(run, batch):
                        failed[part] = batch

            parted = (batches(ids, part, most, layout, multiple, permitted.padded) for part, most in todo)
            waiting = [(k, batch) for k, found in enumerate(parted) for batch in found]
            try:
                for_each(read, waiting, turns, prepare=lambda: torch.set_num_threads(threads // turns))
            finally:
                torch.set_num_threads(threads)  # threads yet to come take over the number set last, in any thread
            for batch in failed.values():
                if sum(map(len, batch)) == 1:
                    remedy = "choose --dtype bf16, or --device cpu"
                    raise ModelError(f"no memory left for a single text of {len(ids[batch[0][0]])} tokens: {remedy}")
            # Half of what the part's largest batch held, not the failed one's: that may be another the next time.
            largest = {k: max(padded_size(ids, batch) for part, batch in waiting if part == k) for k in failed}
            todo = [(todo[k][0], size // 2) for k, size in largest.items()]


def layout_for(model: Model, ids: Ids) -> Layout:
    """How texts may be laid out for this model: many a row where it reads them as it reads each alone, else one a row.

    A row's mask would lift the limit to what a layer may see, so that texts longer than a window stand alone.
    """
    longest = max(map(len, ids), default=0)
    return many_a_row if longest <= window_of(model) and permits(model).packed else one_a_row


def window_of(model: Model) -> float:
    """Tokens that the layer which sees least sees, as the config has it; infinite where every layer sees all."""
    named = vars(model.network.config.get_text_config()).items()
    return min((size for name, size in named if _WINDOW.search(name) and type(size) is int and size > 0), default=inf)


def _fits(run: Callable[[list[Row]], None], batch: list[Row]) -> bool:
    """Whether `run` gets through a batch without running out of memory; other errors pass."""
    try:
        run(batch)
        return True
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise
    torch.cuda.empty_cache()  # only outside the except clause is the failed batch's memory free to be given back
    return False

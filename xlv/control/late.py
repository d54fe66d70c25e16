"""Late refusals: how verdicts change when completions may go on, without control and towards refusing only."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from xlv.cache import Progress, counted, fingerprint, silent
from xlv.control.conditions import Condition, Steering
from xlv.control.measure import Bench
from xlv.control.refusal import rules_fingerprint
from xlv.models.decoding import ReadPrompts, length_batches
from xlv.schema import KINDS, OUTCOMES, SCHEMA

LENGTHS = (32, 128)  # tokens; longer completions are judged and forgotten, see the page on ethics


def late_outcomes(
    bench: Bench,
    conditions: Sequence[Condition],
    tables: dict[str, pd.DataFrame],
    *,
    lengths: tuple[int, ...] = LENGTHS,
    progress: Progress = silent,
) -> xr.Dataset:
    """`late_outcome` as SCHEMA has it, of instructions by language; empty without languages.

    Each completion is generated once, at the greatest length, and judged at every length by its first tokens. What a
    gate would let pass follows from both conditions. No completion is kept, whatever the bench keeps of others.
    """
    names, width = [condition.name for condition in conditions], max(map(len, tables.values()), default=0)
    found = np.full((len(names), len(tables), len(KINDS), width, len(lengths)), -1, dtype=np.int8)
    cells = list(product(enumerate(conditions), enumerate(tables.items())))
    for (i, condition), (k, (code, table)) in counted(cells, "late refusals", progress):
        prompts = [text for kind in KINDS for text in table[kind]]
        classes = _classes(bench, condition.steering(code), code, prompts, lengths)
        codes = [[OUTCOMES.index(name) for name in row] for row in classes]
        found[i, k, :, : len(table)] = np.reshape(codes, (len(KINDS), len(table), len(lengths)))
    coordinates = {"late_condition": names, "late_target": list(tables), "kind": list(KINDS), "length": list(lengths)}
    arrays = {"late_outcome": (SCHEMA["control"]["late_outcome"].dims, found)}
    return xr.Dataset(arrays, coordinates) if tables else xr.Dataset()


def _classes(
    bench: Bench, steering: Steering, code: str, prompts: list[str], lengths: tuple[int, ...]
) -> list[list[str]]:
    """The class of the completion of each prompt at each length, from the journal if it is known."""
    cell = fingerprint("late", rules_fingerprint(bench.judge.tables), bench.judge.name, lengths, steering.key, code)
    batch_decode: Callable = bench.model.tokenizer.batch_decode

    def missing(indices: list[int]) -> list[list[str]]:
        asked, found = [prompts[i] for i in indices], {}
        with steering.apply(bench.model):
            for batch in length_batches(bench.model, asked, bench.batch_size):
                some = [asked[i] for i in batch]
                rows = ReadPrompts(bench.model, some, ahead=max(lengths)).read.completed(max(lengths))
                texts = [batch_decode([row[:n] for row in rows], skip_special_tokens=True) for n in lengths]
                found |= zip(
                    batch, zip(*(bench.judge.classify(some, t, code) for t in texts), strict=True), strict=True
                )
        return [list(found[i]) for i in range(len(asked))]

    return bench.journal.recall(cell, [fingerprint(prompt) for prompt in prompts], missing)

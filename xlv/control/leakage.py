"""Leakage: what steering with one value does to the others, in their projections and in choices between their texts."""

import numpy as np
import xarray as xr

from xlv.cache import Progress, counted, fingerprint, silent
from xlv.control.conditions import SIGN, UNSTEERED, Chosen, Find, addition, setting_at
from xlv.control.measure import Bench
from xlv.corpus.concepts import CONTROLS
from xlv.corpus.pairs import concepts_in, full_texts, languages_in, load_neutral, load_pairs
from xlv.models.decoding import total_nats
from xlv.schema import BASELINE, DIRECTIONS, SCHEMA
from xlv.settings import ControlSettings
from xlv.statistics.vectors import hits


def leakage(
    bench: Bench, settings: ControlSettings, find: Find, chosen: Chosen, *, progress: Progress = silent
) -> xr.Dataset:
    """What control does to every value, in the source language, through the bench's journal: variables of SCHEMA.

    `leakage`: with a value's vector added at the layers and dose `chosen` for a direction, subtracted towards refusing,
    last tokens of neutral sentences, in the layer behind, are projected on every value's vector. `choice`: with that of
    `settings.concept`, the likelier text of a pair is chosen. Of sentences and of a value's pairs, the first are read.
    """
    code, folder, size = settings.source, settings.folder, settings.search.neutral
    values = [c for c in concepts_in(folder) if c not in CONTROLS and code in languages_in(folder, c)]
    vectors, main = [find(concept, code) for concept in values], find(settings.concept, code)
    sentences = load_neutral(code, data=folder)[:size]
    under = {BASELINE: UNSTEERED, **{d: addition(main, chosen[d]) for d in DIRECTIONS}}
    shifts = np.zeros((len(DIRECTIONS), len(values), len(values)))
    choices = np.full((len(under), len(values), size), np.nan)
    for d, leaking in counted([*np.ndindex(shifts.shape[:2])], f"value leakage ({code})", progress):
        direction, vector = DIRECTIONS[d], vectors[leaking]
        layers, dose = chosen[direction].layers, SIGN[direction] * chosen[direction].dose
        steering = addition(vector, setting_at(vector, layers, dose, main.norms))
        read = [(f"value {found.key}", layers[-1] + 1, found.layers[layers[-1] + 1]) for found in vectors]
        before, after = (bench.heights(read, sentences, applied) for applied in (UNSTEERED, steering))
        spread = before.std(axis=0, ddof=1)
        shifts[d, leaking] = (after - before).mean(axis=0) / np.where(spread > 0, spread, np.nan)
    pairs = load_pairs(values, [code], pairs=size, cohort="first", data=folder)
    places = [values.index(concept) for concept in pairs["concept"]], pairs.groupby("concept").cumcount()
    texts = sum(full_texts(pairs), [])
    for i, steering in enumerate(counted(under.values(), f"choices between texts ({code})", progress)):

        def nats(missing: list[int], steering=steering) -> list[float]:
            with steering.apply(bench.model):
                return total_nats(bench.model, [texts[k] for k in missing]).tolist()

        items, cell = [fingerprint(text) for text in texts], fingerprint("nats", steering.key)
        found = bench.journal.recall(cell, items, nats, lambda row: isinstance(row, float))
        positive, negative = np.split(np.array(found), 2)
        choices[i, *places] = hits(negative - positive)
    arrays = {name: (SCHEMA["control"][name].dims, a) for name, a in (("leakage", shifts), ("choice", choices))}
    names = {"towards": list(DIRECTIONS), "leaking": values, "affected": values, "chosen_under": list(under)}
    return xr.Dataset(arrays, names)

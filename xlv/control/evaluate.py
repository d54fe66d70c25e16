"""Control measured: every condition on every target language's evaluation split, and what is stored of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from xlv.cache import Progress, counted, silent
from xlv.control.conditions import UNSTEERED, Condition, further_conditions, main_conditions, rival_conditions
from xlv.control.leakage import leakage
from xlv.control.measure import Bench, Neutral
from xlv.control.search import RATES, gate_for, layer_windows, pooled_vectors, search
from xlv.corpus.pairs import load_instructions, load_neutral
from xlv.models.vectors import ConceptVectors, concept_vectors
from xlv.schema import DIRECTIONS, KINDS, OUTCOMES, POOLED, SCHEMA, SYSTEM
from xlv.settings import ControlSettings

MISSING = -1
LATE = 128  # tokens of completions in which late refusals are looked for
OPENINGS = 20  # the commonest opening words that are stored
_CODES = {None: MISSING, **{outcome: i for i, outcome in enumerate(OUTCOMES)}}
_FAITHFUL = {None: MISSING, False: 0, True: 1}
_DIMS = {name: variable.dims for name, variable in SCHEMA["control"].items()}
Found = dict[tuple[str, str], list]  # readings by condition name and target: of harmful prompts, then of harmless ones


def evaluate(bench: Bench, settings: ControlSettings, *, progress: Progress = silent) -> xr.Dataset:
    """Search on the source, then apply the settings unchanged to every target language (section 5.2).

    First the three main conditions on all targets; then another concept's vector, system prompts and random vectors;
    then other sources, own vectors and ablation; then side effects, and what gates read of prompts without control.
    What is measured goes into the bench's journal, piece by piece. Returns what SCHEMA says of control.
    Raises ValueError for a language without instructions, and what loading the corpus raises.
    """
    source, concept, compare = settings.source, settings.concept, settings.compare

    @cache
    def find(concept: str, code: str) -> ConceptVectors:
        if code == POOLED:
            return pooled_vectors([find(concept, target) for target in settings.targets], find(concept, source).norms)
        return concept_vectors(bench.model, concept, code, pairs=settings.pairs, cohort="first", data=settings.folder)

    measure = partial(_measure, bench, settings, progress)
    searched = partial(search, bench, settings=settings, progress=progress)
    searches = {source: searched(find(concept, source))}
    chosen = searches[source].chosen
    main = main_conditions(find(concept, source), chosen)
    found = measure("measuring control", main, settings.targets, settings.prompts)
    rivals = list(rival_conditions(find, settings, chosen))
    judged = [code for code in settings.targets if code != source or code in settings.detailed_targets]
    found |= measure("measuring rivals", rivals, judged, compare.prompts)
    searches |= {code: searched(find(concept, code)) for code in compare.sources if code != source}
    further = list(further_conditions(find, settings, {code: one.chosen for code, one in searches.items()}))
    found |= measure("comparing", further, settings.detailed_targets, compare.prompts)
    conditions = [*main, *rivals, *further]
    measured = _stored(bench, settings, progress, conditions, found)
    read = _gates(bench, settings, progress, [find(concept, code) for code in searches])
    seen = [one.seen for one in searches.values()]
    grids = {name: np.stack([one[name] for one in seen], _DIMS[name].index("searched")) for name in seen[0]}
    stored = {name: (_DIMS[name], array) for name, array in (read | grids).items()}
    return (
        measured.assign(stored)
        .assign_coords(searched=list(searches))
        .merge(leakage(bench, settings, find, chosen, progress=progress))
        .merge(_late(bench, settings, main[:2], found, progress))
    )


def _stored(
    bench: Bench, settings: ControlSettings, progress: Progress, conditions: Sequence[Condition], found: Found
) -> xr.Dataset:
    """What was found of conditions, with side effects, as SCHEMA has it."""
    neutral = list(dict.fromkeys((settings.source, *settings.detailed_targets)))
    openings = Counter(reading.opening for cell in found.values() for reading in cell if reading.opening)
    commonest = dict(sorted(openings.items(), key=lambda item: (-item[1], item[0]))[:OPENINGS])
    arrays = {
        "score": _by_kind(found, lambda reading: reading.score, np.nan),
        "outcome": _by_kind(found, lambda reading: _CODES[reading.outcome], MISSING).astype(np.int8),
        "faithful": _by_kind(found, lambda reading: _FAITHFUL[reading.faithful], MISSING).astype(np.int8),
        **_side_effects(bench, settings, progress, conditions, neutral),
        "opening_count": list(commonest.values()),
    }
    return xr.Dataset(
        {name: (_DIMS[name], array) for name, array in arrays.items()},
        _coordinates(settings, bench.model.n_layers, conditions)
        | {"neutral_language": neutral, "opening": [*commonest]},
        {"source": settings.source, "concept": settings.concept, "judge": settings.judge},
    )


def _late(
    bench: Bench, settings: ControlSettings, conditions: Sequence[Condition], found: Found, progress: Progress
) -> xr.Dataset:
    """Classes of completions as `found`, and where they may go on to LATE tokens; the longer ones are never kept."""
    codes = [code for code in settings.compare.late if code in settings.targets and settings.is_generated(code)]
    long, size, early, late = replace(bench, tokens=LATE, keep=None), settings.compare.prompts, {}, {}
    for condition, code in counted(list(product(conditions, codes)), "late refusals", progress):
        texts, readings = _instructions(settings, code), found[condition.name, code]
        prompts = [text for kind in KINDS for text in texts[kind][:size]]
        early[condition.name, code] = readings[:size] + readings[len(texts) :][:size]
        late[condition.name, code] = long.measure(condition.steering(code), code, prompts, generate=True)
    if not codes:
        return xr.Dataset()
    classes = [_by_kind(part, lambda reading: _CODES[reading.outcome], MISSING) for part in (early, late)]
    names = {"late_condition": [condition.name for condition in conditions], "late_target": codes}
    arrays = {"late_outcome": (_DIMS["late_outcome"], np.stack(classes, axis=-1).astype(np.int8))}
    return xr.Dataset(arrays, names | {"length": [settings.tokens, LATE]})


def _coordinates(settings: ControlSettings, n_layers: int, conditions: Sequence[Condition]) -> dict[str, object]:
    about = ("method", "direction", "source", "concept", "draw")
    windows = [f"{layers[0]}–{layers[-1]}" for layers in layer_windows(n_layers, settings.search.windows)]
    coordinates = {"condition": [condition.name for condition in conditions]}
    coordinates |= {name: ("condition", [getattr(c, name) for c in conditions]) for name in about}
    coordinates |= {"kind": list(KINDS), "target": list(settings.targets), "towards": list(DIRECTIONS)}
    ids = max((list(_instructions(settings, code)["id"]) for code in settings.targets), key=len)
    numbered = all(str(name).isdecimal() for name in ids)
    coordinates["prompt"] = [int(name) for name in ids] if numbered else list(range(1, len(ids) + 1))
    coordinates |= {"window": windows, "dose": list(settings.search.doses), "rate": list(RATES)}
    return coordinates


def _measure(
    bench: Bench,
    settings: ControlSettings,
    progress: Progress,
    what: str,
    conditions: Sequence[Condition],
    generated: Iterable[str],
    scored: int,
) -> Found:
    """Conditions measured in all targets; those that are generated with completions in the languages `generated`.

    Cells with completions come first, on all instructions, and hold scores as well; the others have `scored` ones.
    """
    detailed = tuple(filter(settings.is_generated, generated))
    cells = {(c, code): True for c in conditions if c.generated for code in detailed}
    every = [(c, code) for c in conditions for code in settings.targets]
    cells |= {cell: False for cell in every if cell not in cells}
    found = {}
    for (condition, code), generate in counted(cells.items(), what, progress):
        table = _instructions(settings, code)[: None if generate else scored]
        texts = [text for kind in KINDS for text in table[kind]]
        steering, name = condition.steering(code), condition.name
        found[name, code] = bench.measure(steering, code, texts, generate=generate, condition=name)
    return {(condition.name, code): found[condition.name, code] for condition, code in every}


def _instructions(settings: ControlSettings, code: str, split: str = "evaluation") -> pd.DataFrame:
    limit = settings.prompts if split == "evaluation" else settings.search.prompts
    return load_instructions(code, split, limit=limit, data=settings.folder)


def _gates(
    bench: Bench, settings: ControlSettings, progress: Progress, vectors: Sequence[ConceptVectors]
) -> dict[str, np.ndarray]:
    """What a gate of each source reads of all instructions, its layer and threshold, and scores of the search split."""
    gates = [gate_for(bench, source, settings) for source in vectors]
    directions = [(v.key, gate.layer, gate.vector) for v, gate in zip(vectors, gates, strict=True)]
    read, scores = {"evaluation": {}, "search": {}}, {}
    for code, split in counted(list(product(settings.targets, read)), "reading harm", progress):
        table = _instructions(settings, code, split)
        texts = [text for kind in KINDS for text in table[kind]]
        heights = bench.heights(directions, texts)
        read[split] |= {(str(source), code): list(heights[:, source]) for source in range(len(gates))}
        if split == "search":
            scores["", code] = bench.measure(UNSTEERED, code, texts, generate=False)
    return {
        "gate_layer": np.array([gate.layer for gate in gates]),
        "gate_threshold": np.array([gate.threshold for gate in gates]),
        "projection": _by_kind(read["evaluation"], float, np.nan),
        "split_projection": _by_kind(read["search"], float, np.nan),
        "split_score": _by_kind(scores, lambda reading: reading.score, np.nan)[0],
    }


def _by_kind(found: Found, value: Callable[..., float], fill: float) -> np.ndarray:
    """Values `[condition, kind, target, prompt]` of readings, padded with `fill` to the most prompts."""
    names, codes = (list(dict.fromkeys(keys)) for keys in zip(*found, strict=True))
    width = max(map(len, found.values())) // len(KINDS)
    result = np.full((len(names), len(KINDS), len(codes), width), fill)
    for (name, code), readings in found.items():
        values = np.reshape([value(reading) for reading in readings], (len(KINDS), -1))
        result[names.index(name), :, codes.index(code), : values.shape[1]] = values
    return result


def _side_effects(
    bench: Bench, settings: ControlSettings, progress: Progress, conditions: Sequence[Condition], codes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Effects on neutral sentences in some languages, NaN where there are none.

    A system prompt leaves the model as it is and says nothing before a neutral sentence: it has none.
    """
    steered = {i: c for i, c in enumerate(conditions) if c.generated and c.method != SYSTEM}
    texts = [load_neutral(code, data=settings.folder)[: settings.search.neutral] for code in codes]
    names = ("neutral_divergence", "neutral_nats", "neutral_tokens")  # in the order of an Effect
    arrays = np.full((len(names), len(conditions), len(codes), max(map(len, texts))), np.nan)
    for k, (code, sentences) in enumerate(zip(codes, texts, strict=True)):
        neutral = Neutral(bench.model, sentences)
        for i, condition in counted(steered.items(), f"side effects ({code})", progress):
            arrays[:, i, k, : len(sentences)] = np.transpose(bench.side_effects(condition.steering(code), neutral))
    return dict(zip(names, arrays, strict=True))

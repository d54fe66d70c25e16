"""Control measured: every condition on every target language's evaluation split, and what is stored of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

import numpy as np
import xarray as xr

from xlv.cache import Progress, counted, silent
from xlv.control.conditions import Condition, dose_conditions, further_conditions, main_conditions
from xlv.control.measure import Bench, Neutral, Reading
from xlv.control.search import RATES, layer_windows, search
from xlv.corpus.pairs import load_instructions, load_neutral
from xlv.models.vectors import ConceptVectors, concept_vectors
from xlv.schema import DIRECTIONS, KINDS, OUTCOMES, SCHEMA, SYSTEM
from xlv.settings import ControlSettings

MISSING = -1
OPENINGS = 20  # the commonest opening words that are stored
_CODES = {None: MISSING, **{outcome: i for i, outcome in enumerate(OUTCOMES)}}
_FAITHFUL = {None: MISSING, False: 0, True: 1}
_DIMS = {name: variable.dims for name, variable in SCHEMA["control"].items()}
Found = dict[tuple[str, str], list[Reading]]  # by condition name and target: harmful prompts, then harmless ones


def evaluate(bench: Bench, settings: ControlSettings, *, progress: Progress = silent) -> xr.Dataset:
    """Search on the source, then apply the settings unchanged to every target language (section 5.2).

    First the three main conditions on all targets; then the other sources, own vectors, another concept's vector,
    ablation, system prompts and random vectors; then dose–response curves and side effects on neutral sentences.
    What is measured goes into the bench's journal, piece by piece. Returns what SCHEMA says of control.
    Raises ValueError for a language without instructions, and what loading the corpus raises.
    """
    source, concept, compare = settings.source, settings.concept, settings.compare

    @cache
    def find(concept: str, code: str) -> ConceptVectors:
        return concept_vectors(bench.model, concept, code, pairs=settings.pairs, cohort="first", data=settings.folder)

    measure = partial(_measure, bench, settings, progress)
    searched = partial(search, bench, settings=settings, progress=progress)
    searches = {source: searched(find(concept, source))}
    chosen = searches[source].chosen
    main = main_conditions(find(concept, source), chosen)
    found = measure("measuring control", main, settings.targets, settings.prompts)
    searches |= {code: searched(find(concept, code)) for code in compare.sources if code != source}
    further = list(further_conditions(find, settings, {code: one.chosen for code, one in searches.items()}))
    found |= measure("comparing", further, settings.detailed_targets, compare.prompts)
    doses = dose_conditions(find(concept, source), chosen, compare.doses)
    response = measure("dose and response", doses, (), compare.prompts)
    conditions, neutral = [*main, *further], list(dict.fromkeys((source, *settings.detailed_targets)))
    openings = Counter(reading.opening for cell in found.values() for reading in cell if reading.opening)
    commonest = dict(sorted(openings.items(), key=lambda item: (-item[1], item[0]))[:OPENINGS])
    seen = [one.seen for one in searches.values()]
    grids = {name: np.stack([one[name] for one in seen], _DIMS[name].index("searched")) for name in seen[0]}
    curves = _by_kind(response, lambda reading: reading.score, np.nan)
    arrays = {
        "score": _by_kind(found, lambda reading: reading.score, np.nan),
        "outcome": _by_kind(found, lambda reading: _CODES[reading.outcome], MISSING).astype(np.int8),
        "faithful": _by_kind(found, lambda reading: _FAITHFUL[reading.faithful], MISSING).astype(np.int8),
        "response_score": curves.reshape(len(DIRECTIONS), -1, *curves.shape[1:]),
        **_side_effects(bench, settings, progress, conditions, neutral),
        **grids,
        "opening_count": list(commonest.values()),
    }
    measured = {"neutral_language": neutral, "searched": list(searches), "opening": list(commonest)}
    return xr.Dataset(
        {name: (_DIMS[name], array) for name, array in arrays.items()},
        _coordinates(settings, bench.model.n_layers, conditions) | measured,
        {"source": source, "concept": concept, "judge": settings.judge},
    )


def _coordinates(settings: ControlSettings, n_layers: int, conditions: Sequence[Condition]) -> dict[str, object]:
    about = ("method", "direction", "source", "concept", "draw")
    windows = [f"{layers[0]}–{layers[-1]}" for layers in layer_windows(n_layers, settings.search.windows)]
    coordinates = {"condition": [condition.name for condition in conditions]}
    coordinates |= {name: ("condition", [getattr(c, name) for c in conditions]) for name in about}
    coordinates |= {"kind": list(KINDS), "target": list(settings.targets), "towards": list(DIRECTIONS)}
    coordinates |= {"window": windows, "dose": list(settings.search.doses), "rate": list(RATES)}
    return coordinates | {"response_dose": list(settings.compare.doses)}


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
    detailed = tuple(generated) if settings.generate else ()
    cells = {(c, code): True for c in conditions if c.generated for code in detailed}
    every = [(c, code) for c in conditions for code in settings.targets]
    cells |= {cell: False for cell in every if cell not in cells}
    found = {}
    for (condition, code), generate in counted(cells.items(), what, progress):
        limit = settings.prompts if generate else min(scored, settings.prompts)
        table = load_instructions(code, "evaluation", limit=limit, data=settings.folder)
        texts = [text for kind in KINDS for text in table[kind]]
        steering, name = condition.steering(code), condition.name
        found[name, code] = bench.measure(steering, code, texts, generate=generate, condition=name)
    return {(condition.name, code): found[condition.name, code] for condition, code in every}


def _by_kind(found: Found, value: Callable[[Reading], float], fill: float) -> np.ndarray:
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

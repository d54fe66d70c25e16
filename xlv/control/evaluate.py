"""Control measured: every condition on every target language's evaluation split, by score and by generation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import xarray as xr

from xlv.cache import Progress, silent
from xlv.control.arrays import Measured, control_arrays
from xlv.control.conditions import (
    SIGN,
    Condition,
    Setting,
    addition,
    comparisons,
    main_conditions,
    random_conditions,
    setting_at,
    source_conditions,
)
from xlv.control.measure import Bench, Found
from xlv.control.names import DIRECTIONS, KINDS, SYSTEM
from xlv.control.neutral import Effect, Neutral
from xlv.control.search import search
from xlv.corpus.pairs import concepts_in, load_instructions, load_neutral
from xlv.models.vectors import ConceptVectors, control_vectors
from xlv.settings import ControlSettings


@dataclass(frozen=True)
class _Cell:
    """One thing to measure: a condition in a target language, on so many instructions of a kind, generated or not."""

    condition: Condition
    target: str
    prompts: int
    generate: bool


def evaluate(bench: Bench, settings: ControlSettings, *, progress: Progress = silent) -> xr.Dataset:
    """Search on the source, then apply the settings unchanged to every target language (section 5.2).

    First the three main conditions on all targets; then the other sources, own vectors, another concept's vector,
    ablation, system prompts and random vectors; then dose–response curves and side effects on neutral sentences.
    What is measured goes into the bench's journal piece by piece, so that an interrupted run can go on. No completion
    is kept. Returns the arrays of `control_arrays`.
    Raises ValueError for a language without instructions, and what loading the corpus raises.
    """

    @cache
    def vectors(concept: str, code: str) -> ConceptVectors:
        return control_vectors(bench.model, concept, code, settings)

    source = vectors(settings.concept, settings.source)
    surfaces = {settings.source: search(bench, source, settings.source, settings, progress=progress)}
    chosen = surfaces[settings.source].chosen
    main = main_conditions(source, chosen)
    cells = [_Cell(c, code, settings.prompts, settings.generate) for c in main for code in settings.targets]
    found = _measure(bench, cells, settings, "measuring control", progress)
    further = []
    for code in (code for code in settings.sources if code != settings.source):
        surfaces[code] = search(bench, vectors(settings.concept, code), code, settings, progress=progress)
        further += source_conditions(code, vectors(settings.concept, code), surfaces[code].chosen)
    further += comparisons(vectors, settings.concept, _contrast(settings), settings.source, chosen)
    further += random_conditions(source, chosen, settings.random, settings.random_generated, settings.seed)
    found |= _measure(bench, list(_comparison_cells(further, settings)), settings, "comparing", progress)
    measured = Measured(
        [*main, *further],
        surfaces,
        found,
        response=_responses(bench, source, chosen, settings, progress),
        effects=_side_effects(bench, [*main, *further], settings, progress),
    )
    return control_arrays(measured, settings)


def _contrast(settings: ControlSettings) -> str | None:
    """The concept to compare with: the one asked for if the corpus has it, else truthfulness, else none."""
    known = concepts_in(settings.folder)
    return next((c for c in (settings.contrast, "truthfulness") if settings.contrast and c in known), None)


def _comparison_cells(conditions: Sequence[Condition], settings: ControlSettings) -> Iterator[_Cell]:
    """Generated cells first: they hold scores as well."""
    detailed = settings.detailed_targets if settings.generate else ()
    by_generation = [(c, code) for c in conditions if c.generated for code in detailed]
    for condition, code in by_generation:
        yield _Cell(condition, code, settings.prompts, True)
    for condition in conditions:
        for code in settings.targets:
            if (condition, code) not in by_generation:
                yield _Cell(condition, code, settings.score_prompts, False)


def _instructions(code: str, count: int, settings: ControlSettings) -> list[str]:
    table = load_instructions(code, "evaluation", limit=min(count, settings.prompts), data=settings.folder)
    return [text for kind in KINDS for text in table[kind]]


def _measure(
    bench: Bench, cells: Sequence[_Cell], settings: ControlSettings, what: str, progress: Progress
) -> dict[tuple[str, str], list[Found]]:
    found = {}
    for done, cell in enumerate(cells):
        progress(what, done, len(cells))
        name, code = cell.condition.name, cell.target
        prompts = _instructions(code, cell.prompts, settings)
        steering = cell.condition.steering(code)
        found[name, code] = bench.measure(steering, code, prompts, generate=cell.generate, condition=name)
    progress(what, len(cells), len(cells))
    return found


def _responses(
    bench: Bench, vectors: ConceptVectors, chosen: dict[str, Setting], settings: ControlSettings, progress: Progress
) -> dict[tuple[str, float, str], list[Found]]:
    """Scores by direction, dose and target: the source's vector at the chosen layers in every dose of the grid."""
    places = [(d, dose, code) for d in DIRECTIONS for dose in settings.response_doses for code in settings.targets]
    found = {}
    for done, (direction, dose, code) in enumerate(places):
        progress("dose and response", done, len(places))
        steering = addition(vectors, setting_at(vectors, chosen[direction].layers, SIGN[direction] * dose))
        prompts = _instructions(code, settings.score_prompts, settings)
        found[direction, dose, code] = bench.measure(steering, code, prompts, generate=False)
    progress("dose and response", len(places), len(places))
    return found


def _side_effects(
    bench: Bench, conditions: Sequence[Condition], settings: ControlSettings, progress: Progress
) -> dict[tuple[str, str], list[Effect]]:
    """Effects on neutral sentences by condition and language: the source and the detailed ones.

    A system prompt leaves the model as it is and says nothing before a neutral sentence: it has none.
    """
    steered = [c for c in conditions if c.generated and c.means != SYSTEM]
    codes = list(dict.fromkeys([settings.source, *settings.detailed_targets]))
    found = {}
    for done, code in enumerate(codes):
        neutral = Neutral(bench.model, load_neutral(code, data=settings.folder)[: settings.neutral])
        for k, condition in enumerate(steered):
            progress("side effects", done * len(steered) + k, len(codes) * len(steered))
            found[condition.name, code] = bench.side_effects(condition.steering(code), neutral)
    progress("side effects", len(codes) * len(steered), len(codes) * len(steered))
    return found

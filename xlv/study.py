"""The paper's steps in order, for one model: corpus → activations → vectors → questions → results on disk."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from xlv.archive import keep, known, place, provenance_of, said, whole
from xlv.cache import EXTRACTOR, Progress, cache_root, check_writable, counted, fingerprint, silent
from xlv.corpus import pairs as corpus
from xlv.corpus.shortcut import surface_margins
from xlv.models.names import check_name, named
from xlv.questions.analysis import analyse_concepts, consistency_arrays, levelled, recognition_arrays
from xlv.questions.recognition.accuracy import own_hits
from xlv.questions.recognition.comparisons import own_as_published
from xlv.results import has_published, load, result_path
from xlv.schema import KINDS, POOLED, SCHEMA
from xlv.settings import DEFAULT_LOADING, ControlSettings, Loading, Settings
from xlv.statistics.resampling import group_indices
from xlv.statistics.vectors import Layers, hits

if TYPE_CHECKING:  # torch is imported only where something is computed
    from xlv.models.model import Model

UNTRAINED_STEP = 4  # every fourth language: enough to see chance, at a quarter of the cost
ANALYSIS = 5  # raised when the analysis changes, so that results of an earlier one are computed anew


def run_study(
    model: str,
    settings: Settings,
    out: Path | str,
    *,
    loading: Loading = DEFAULT_LOADING,
    vectors: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Questions 1 to 3 for one model: compute what is not known yet, and return the recognition results.

    They lie in `place(model, settings, out)`, and with `vectors` the concept vectors as
    `vectors/{concept}_{language}.safetensors` there. With `overwrite`, files that are damaged or of another model are
    replaced. Raises ValueError for such files without it, for an unknown model, language, concept or device, and for a
    malformed corpus or one of fewer than four situations per concept, before anything is computed.
    """
    if has_published(Path(out), model) and not vectors:
        return load(result_path(Path(out), model, "recognition"))
    check_name(model)
    settings = whole(settings, model)
    folder, table = place(model, settings, out), corpus.pairs_of(settings)
    neutral = corpus.neutral_of(list(dict.fromkeys(table["language"])), settings.folder, settings.neutral)
    texts = corpus.corpus_fingerprint(table)
    stamp = fingerprint(texts, table["cohort"].tolist(), neutral, said(settings), ANALYSIS, EXTRACTOR)
    paths = [folder / f"{question}.nc" for question in ("recognition", "consistency")]
    found = [known(path, stamp, model, overwrite) for path in paths]
    if all(dataset is not None for dataset in found) and not vectors:
        return found[0]
    check_writable(Path(out)), check_writable(cache_root() / "activations")  # said before a model is read
    unfinished = fingerprint(stamp, "without the untrained model")
    begun = found[1] is not None and any(
        dataset is not None for dataset in (found[0], known(paths[0], unfinished, model, overwrite))
    )
    from xlv.models.activations import pair_states
    from xlv.models.load import checked_device, load_model
    from xlv.models.vectors import concept_vectors

    checked_device(loading.device, settings.dtype)
    what = f"{named(model).label}, questions 1 to 3"
    progress(what, 0, 4)
    loaded = load_model(model, dtype=settings.dtype, template=settings.template, **asdict(loading), progress=progress)
    provenance = provenance_of(model, stamp, loaded.weights_fingerprint, texts, settings)
    provenance["parameters"] = loaded.network.num_parameters()
    if not begun:
        by_concept = corpus.texts_of(table)
        loaded.token_ids(sum(by_concept.values(), []))  # whatever cannot be read is refused before anything is
        loaded.with_template("raw").token_ids(sum((neutral or {}).values(), []))
        states = pair_states(loaded, table, progress=progress)
        progress(what, 1, 4)
        recognition, consistency = analyse(table, states, loaded.n_layers, seed=settings.seed, progress=progress)
        progress(what, 2, 4)
        for variable, values in baselines(loaded, table, neutral, settings, progress).items():
            recognition[variable] = (SCHEMA["recognition"][variable].dims, values)
        keep(recognition, paths[0], provenance | ({"stamp": unfinished} if settings.baselines else {}), model)
        keep(consistency, paths[1], provenance, model)
    progress(what, 3, 4)
    for name, code in dict.fromkeys(zip(table["concept"], table["language"], strict=True)) if vectors else ():
        made = concept_vectors(loaded, name, code, pairs=settings.pairs, cohort=settings.cohort, data=settings.folder)
        made.save(folder / "vectors" / f"{name}_{code}.safetensors")
    if settings.baselines and found[0] is None:  # last of all, since it takes the place of the model
        recognition = load(paths[0])
        for variable, values in untrained(loaded, table, settings, progress).items():
            recognition[variable] = (SCHEMA["recognition"][variable].dims, values)
        keep(recognition, paths[0], provenance, model)
    progress(what, 4, 4)
    return load(paths[0])


def analyse(
    table: pd.DataFrame, states: Mapping[str, Layers], n_layers: int, *, seed: int = 0, progress: Progress = silent
) -> tuple[xr.Dataset, xr.Dataset]:
    """Recognition and consistency of every concept of a table of pairs, from the states of its texts by concept.

    Each cohort of pairs is trained and tested within itself, too. The same `seed` pairs the differences of two models.
    """
    languages, groups = list(dict.fromkeys(table["language"])), [_groups(table, concept) for concept in states]
    rows = [table[table["concept"] == concept] for concept in states]
    cohorts, surface = [corpus.cohorts_of(part) for part in rows], [surface_margins(part, languages) for part in rows]
    found = analyse_concepts(states, n_layers, groups, cohorts=cohorts, seed=seed, progress=progress)
    recognition = recognition_arrays(found, states, languages, surface)
    names = list(recognition["cohort"].values)
    within = np.full((len(names), *recognition["surface"].shape), np.nan)
    for k, (part, of) in enumerate(zip(rows, cohorts, strict=True)):
        for name, places in of.items():
            some = surface[k] if name == "all" else surface_margins(part.groupby("language").nth([*places]), languages)
            within[names.index(name), k][..., places] = hits(some)
    recognition["cohort_surface"] = SCHEMA["recognition"]["cohort_surface"].dims, within
    written_in = sorted(set(table["origin"]))
    origins = [part.loc[part["language"] == languages[0], "origin"].map(written_in.index) for part in rows]
    origins = levelled([origin.to_numpy(dtype=float) for origin in origins], recognition.sizes["pair"])
    recognition["origin"] = SCHEMA["recognition"]["origin"].dims, origins
    return recognition.assign_coords(written_in=written_in), consistency_arrays(found, languages)


def _groups(table: pd.DataFrame, concept: str) -> np.ndarray:
    """Index `[pair]` of the situation of each pair of a concept; the same in all languages."""
    rows = table[table["concept"] == concept]
    return group_indices(rows.loc[rows["language"] == rows["language"].iloc[0], "group"].tolist())


def baselines(
    model: "Model", table: pd.DataFrame, neutral: dict[str, list[str]] | None, settings: Settings, progress: Progress
) -> dict[str, np.ndarray]:
    """What else is measured on the model: baselines, competence and token overlap, as SCHEMA has them."""
    from xlv.models import baselines as against
    from xlv.models.decoding import total_nats

    texts, languages = corpus.texts_of(table), list(dict.fromkeys(table["language"]))
    by_language = {code: sum((rows for (_, lang), rows in texts.items() if lang == code), []) for code in languages}
    found = {"token_overlap": against.token_overlap(model, by_language)}
    embedded: dict[str, list[np.ndarray]] = {}
    for (concept, _), rows in counted(texts.items(), f"embeddings of {model.name}", progress):
        embedded.setdefault(concept, []).append(against.embedding_states(model, rows))
    stacked = {concept: np.stack(states) for concept, states in embedded.items()}
    found["embedded"] = _own_hits({c: lambda _layer, here=here: here for c, here in stacked.items()}, 1, table)
    if settings.baselines:
        parts, margins = table.groupby(["concept", "language"], sort=False), []
        for _, part in counted(list(parts), f"likelihood under {model.name}", progress):
            sides = (side[: settings.likelihood_pairs] for side in corpus.full_texts(part))
            margins.append(against.likelihood_margins(model, *sides))
        found["likelihood"] = levelled(margins, int(parts.size().max()), (-1, len(languages)))
    if neutral is not None:
        sentences = counted(neutral.values(), f"competence of {model.name}", progress)
        found["neutral_nats"] = np.stack([total_nats(model, rows) for rows in sentences])
    return found


def untrained(model: "Model", table: pd.DataFrame, settings: Settings, progress: Progress) -> dict[str, np.ndarray]:
    """Own vectors in an untrained model as SCHEMA has them, NaN where it is not measured; uses the model up."""
    from xlv.models import baselines as against
    from xlv.models.activations import pair_states

    languages = list(dict.fromkeys(table["language"]))
    asked = table[table["language"].isin(languages[::UNTRAINED_STEP])]
    blank = against.untrained(model, seed=settings.seed)
    states = pair_states(blank, asked, progress=progress)
    paper = np.stack([own_as_published(layers, blank.n_layers) for layers in states.values()])
    found = {"untrained": _own_hits(states, blank.n_layers, asked), "untrained_paper": paper}
    for variable, values in found.items():
        found[variable] = np.full((len(values), len(languages), *values.shape[2:]), np.nan)
        found[variable][:, ::UNTRAINED_STEP] = values
    return found


def _own_hits(states: Mapping[str, Layers], n_layers: int, table: pd.DataFrame) -> np.ndarray:
    """Hits `[concept, language, pair]` of own vectors on held-out pairs."""
    return levelled([own_hits(layers, n_layers, _groups(table, concept)) for concept, layers in states.items()])


def control_texts(settings: ControlSettings) -> tuple[pd.DataFrame, list[pd.DataFrame], list[list[str]]]:
    """The pairs, instructions and neutral sentences of question 4; ValueError where the corpus lacks them.

    Also for a language without openings of refusals, and for an instruction that stands in a pair.
    """
    from xlv.control.refusal import openings, tables_of

    size = {"pairs": settings.pairs, "cohort": "first", "data": settings.folder}
    pairs = corpus.load_pairs([settings.concept], [settings.source], **size)
    sources = (code for code in settings.compare.sources if code != POOLED)
    codes = dict.fromkeys((settings.source, *sources, *settings.targets))
    limits = {"search": settings.search.prompts, "evaluation": settings.prompts}
    sheets = [
        corpus.load_instructions(code, split=split, limit=limit, data=settings.folder)
        for code, (split, limit) in product(codes, limits.items())
    ]
    for code in codes:
        openings(code, tables_of(settings.folder))
    texts = {text for sheet in sheets for kind in KINDS for text in sheet[kind]}
    if both := texts & {*pairs["positive"], *pairs["negative"]}:
        where = f"{settings.concept}/{settings.source}.tsv and in the control set"
        raise corpus.CorpusError(f"a text stands in {where}: {min(both)!r:.80}: keep one of them")
    spoken = (settings.source, *settings.detailed_targets)
    return pairs, sheets, [corpus.load_neutral(code, data=settings.folder) for code in spoken]


def check_control(settings: ControlSettings) -> None:
    """Raise ValueError, before anything is computed, for a corpus or a judge that question 4 cannot do with."""
    from xlv.control.refusal import check_judge

    control_texts(settings)
    check_judge(settings.judge)


def run_control(
    model: str,
    settings: ControlSettings,
    out: Path | str,
    *,
    loading: Loading = DEFAULT_LOADING,
    keep_completions: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Question 4 for one model: what is in `out` already is read, the rest computed. Raises as `run_study` does.

    A model without a chat template is asked in raw text and measured by score alone: it was not trained to decline.
    `keep_completions` writes all completions to a private file in the cache, see `bench_for`.
    """
    from xlv.control.refusal import check_judge, rules_fingerprint, tables_of

    check_name(model)
    path = place(model, settings, out) / "control.nc"
    pairs, sheets, neutral = control_texts(settings)
    rules, texts = rules_fingerprint(tables_of(settings.folder)), [sheet.to_csv() for sheet in sheets] + neutral
    stamp = fingerprint(corpus.corpus_fingerprint(pairs), texts, said(settings), rules, EXTRACTOR)
    found = known(path, stamp, model, overwrite)
    if found is not None and not keep_completions:
        return found
    check_writable(Path(out)), check_writable(cache_root() / "activations")  # said before a model is read
    from xlv.control.evaluate import evaluate
    from xlv.control.measure import bench_for
    from xlv.models.load import load_model

    check_judge(settings.judge)
    loaded = load_model(model, dtype=settings.dtype, **asdict(loading), progress=progress)
    if settings.template == "chat" and not loaded.tokenizer.chat_template:
        settings = replace(settings, template="raw", generate=False)
    loaded = loaded.with_template(settings.template)
    prompts = [text for sheet in sheets for kind in ("harmful", "harmless") for text in sheet[kind]]
    loaded.token_ids(prompts, new=settings.tokens)  # whatever cannot be read is refused before anything is
    loaded.with_template("raw").token_ids(sum(neutral, []))
    bench = bench_for(loaded, settings, keep_completions=keep_completions)
    dataset = evaluate(bench, settings, progress=progress)
    keep(dataset, path, provenance_of(model, stamp, loaded.weights_fingerprint, fingerprint(texts), settings), model)
    return load(path)

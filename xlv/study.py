"""The paper's steps in order: corpus → activations → vectors → recognition and consistency → results on disk."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xlv.cache import Progress, cache_root, fingerprint, silent
from xlv.corpus.languages import language
from xlv.corpus.pairs import corpus_fingerprint, load_instructions, load_neutral, load_pairs, texts_of
from xlv.corpus.shortcut import SURFACES, shortcut_scores
from xlv.models.presets import PRESETS, caption
from xlv.models.weights import split_revision
from xlv.questions.concept import ConceptAnalysis, analyse_concepts, other_concept_accuracy
from xlv.questions.stored import consistency_arrays, recognition_arrays
from xlv.results import has_published, load, matching, result_path, save
from xlv.settings import DEFAULT_LOADING, ControlSettings, Loading, Settings
from xlv.statistics.resampling import group_indices
from xlv.statistics.vectors import Layers

ANALYSIS = 3  # raised when the analysis changes, so that results of an earlier one are computed anew


def identity(model: str) -> str:
    """What tells one model from another without loading it: a preset's checksum, a file's or folder's stamp, an id."""
    preset, path = PRESETS.get(model), Path(model).expanduser()
    if preset is not None and preset.wheels is not None:
        return preset.wheels.sha256[:16]
    if path.exists():
        files = [path] if path.is_file() else sorted(f for f in path.iterdir() if f.is_file())
        return fingerprint([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files])
    return model


def short_name(model: str) -> str:
    """The name under which a model's results are filed: the last part of its path or id, with the revision if any."""
    model, revision = split_revision(model)
    name = model if model in PRESETS else Path(model.rstrip("/")).name.removesuffix(".gguf")
    return f"{name}@{revision.replace('/', '-')}" if revision else name


def run_study(
    model: str, settings: Settings, out: Path, *, loading: Loading = DEFAULT_LOADING, progress: Progress = silent
) -> xr.Dataset:
    """Questions 1 to 3 for one model: compute what is not in `out` yet, and return the recognition results.

    Raises ValueError for an unknown model, language, concept, template, dtype or device, and for a malformed corpus,
    before anything is computed.
    """
    if has_published(out, short_name(model)):
        return load(result_path(out, short_name(model), "recognition"))
    table = settings.table()
    stamp = fingerprint(identity(model), corpus_fingerprint(table), asdict(settings), ANALYSIS)
    paths = [result_path(out, short_name(model), question) for question in ("recognition", "consistency")]
    known = [matching(path, stamp) for path in paths]
    if all(dataset is not None for dataset in known):
        return known[0]
    from xlv.baselines import measured
    from xlv.models.activations import concept_states
    from xlv.models.load import load_model

    loaded = load_model(model, dtype=settings.dtype, template=settings.template, **asdict(loading), progress=progress)
    states = concept_states(loaded, texts_of(table), progress=progress)
    recognition, consistency = analyse(table, states, loaded.n_layers, seed=settings.seed, progress=progress)
    for name, values in measured(loaded, table, settings, progress).items():
        recognition[name] = values
    provenance = _provenance(model, stamp, loaded.weights, corpus_fingerprint(table), settings.dtype, settings.template)
    provenance["parameters"] = loaded.network.num_parameters()
    for path, dataset in zip(paths, (recognition, consistency), strict=True):
        save(dataset, path, provenance)
    return matching(paths[0], stamp)


def run_control(
    model: str,
    settings: ControlSettings,
    out: Path,
    *,
    loading: Loading = DEFAULT_LOADING,
    keep_completions: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Question 4 for one model: what is in `out` already is read, the rest computed. Raises as `run_study` does.

    A model without a chat template is asked in raw text and measured by score alone: it was not trained to decline.
    `keep_completions` writes all completions to a private file in the cache, see `completions_path`.
    """
    from xlv.control.refusal import RULES

    path = result_path(out, short_name(model), "control")
    pairs = load_pairs([settings.concept], [settings.source], pairs=settings.pairs, data=settings.folder)
    codes = dict.fromkeys((settings.source, *settings.sources, *settings.targets))
    texts = [load_instructions(code, data=settings.folder).to_csv() for code in codes]
    texts += [load_neutral(code, data=settings.folder) for code in (settings.source, *settings.detailed_targets)]
    stamp = fingerprint(identity(model), corpus_fingerprint(pairs), texts, asdict(settings), RULES)
    known = matching(path, stamp)
    if known is not None and not keep_completions:
        return known
    from xlv.control.evaluate import evaluate
    from xlv.control.journal import Journal
    from xlv.control.judges import judge_named
    from xlv.control.keep import completions_path, keeper
    from xlv.control.measure import Bench
    from xlv.models.load import load_model

    loaded = load_model(model, dtype=settings.dtype, **asdict(loading), progress=progress)
    if settings.template == "chat" and not loaded.tokenizer.chat_template:
        settings = replace(settings, template="raw", generate=False)
    loaded = loaded.with_template(settings.template)
    kept = completions_path(loaded.fingerprint) if keep_completions else None
    # Completions exist only where they are generated now, so they are kept in step with a journal of their own.
    journal = Journal(cache_root() / "journals" / f"{loaded.fingerprint}{'-kept' if kept else ''}.jsonl")
    bench = Bench(
        loaded, settings.tokens, judge_named(settings.judge), journal, keeper(kept, loaded.name) if kept else None
    )
    dataset = evaluate(bench, settings, progress=progress)
    save(
        dataset, path, _provenance(model, stamp, loaded.weights, fingerprint(texts), settings.dtype, settings.template)
    )
    return matching(path, stamp)


def _provenance(model: str, settings: str, weights: str, corpus: str, dtype: str, template: str) -> dict[str, str]:
    name = short_name(model)
    return {
        "settings": settings,
        "model": name,
        "title": caption(name),
        "weights": weights,
        "revision": split_revision(model)[1] or "",
        "corpus": corpus,
        "dtype": dtype,
        "template": template,
    }


def analyse(
    table: pd.DataFrame, states: Mapping[str, Layers], n_layers: int, *, seed: int = 0, progress: Progress = silent
) -> tuple[xr.Dataset, xr.Dataset]:
    """Recognition and consistency of every concept of a table of pairs, from the states of its texts by concept.

    `seed` draws the folds, and with the concept's place the resamples: the same in two models pairs their differences.
    """
    languages = list(dict.fromkeys(table["language"]))
    by_concept = [table[table["concept"] == concept] for concept in states]
    groupings = [group_indices(rows.loc[rows["language"] == languages[0], "group"].tolist()) for rows in by_concept]
    surface = [_surface(rows, languages) for rows in by_concept]
    found = analyse_concepts(states, n_layers, groupings, seed=seed, progress=progress)
    recognition = recognition_arrays(found, languages, groupings, surface)
    recognition["across"] = (("concept", "other", "source"), _across(found, states))
    return recognition.assign_coords(other=list(found)), consistency_arrays(found, languages)


def _across(found: Mapping[str, ConceptAnalysis], states: Mapping[str, Layers]) -> np.ndarray:
    """Accuracy `[concept, other, language]` of each concept's vectors on the other concepts' pairs; own: held out."""
    result = np.stack([np.stack([np.diagonal(a.cv.chosen)] * len(found)) for a in found.values()])
    for (i, (one, analysis)), (j, (other, layers)) in product(enumerate(found.items()), enumerate(states.items())):
        if one != other:
            result[i, j] = other_concept_accuracy(analysis.vectors, analysis.cv.layer[:, 0], layers)
    return result


def _surface(rows: pd.DataFrame, languages: list[str]) -> np.ndarray:
    """Margins `[surface, language, pair]` of the surface classifiers, the baseline of recognition."""
    result = []
    for surface in SURFACES:
        margins = []
        for code in languages:
            part = rows[rows["language"] == code]
            texts = list(part["positive"]), list(part["negative"])
            spaces, groups = language(code).spaces, part["group"].tolist()
            margins.append(shortcut_scores(*texts, groups, surface=surface, spaces=spaces))
        result.append(np.stack(margins))
    return np.stack(result)

"""The paper's steps in order: corpus → activations → vectors → recognition and consistency → results on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xlv.analysis.consistency import cosines, half_cosines
from xlv.analysis.recognition import PROTOCOLS, Recognition, cross_validated
from xlv.analysis.statistics import group_indices
from xlv.analysis.vectors import pair_gram
from xlv.cache import Progress, cache_root, fingerprint, silent
from xlv.corpus.languages import language
from xlv.corpus.pairs import BUILT_IN, corpus_fingerprint, full_texts, load_instructions, load_neutral, load_pairs
from xlv.corpus.shortcut import SURFACES, shortcut_scores
from xlv.models.presets import PRESETS, caption
from xlv.report.results import matching, recognition_arrays, result_path, save
from xlv.settings import ControlSettings, Settings

N_SHUFFLES = 20


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
    """The name under which a model's results are filed: the last part of its path or id."""
    return model if model in PRESETS else Path(model.rstrip("/")).name.removesuffix(".gguf")


def run_study(model: str, settings: Settings, out: Path, *, load=None, progress: Progress = silent) -> xr.Dataset:
    """Questions 1 to 3 for one model: compute what is not in `out` yet, and return the recognition results.

    `load` gives the loaded model (default: `load_model` with the settings). Raises ValueError for an unknown
    model, language, concept, template or dtype, and for a malformed corpus, before anything is computed.
    """
    table = settings.table()
    stamp = fingerprint(identity(model), corpus_fingerprint(table), asdict(settings), N_SHUFFLES)
    paths = [result_path(out, short_name(model), question) for question in ("recognition", "consistency")]
    known = [matching(path, stamp) for path in paths]
    if all(dataset is not None for dataset in known):
        return known[0]
    from xlv.models.activations import cached_activations, read_shard
    from xlv.models.likelihood import total_nats
    from xlv.models.load import load_model

    loaded = load() if load else load_model(model, dtype=settings.dtype, template=settings.template, progress=progress)
    groups = table.groupby(["concept", "language"], sort=False)
    texts = {key: sum(full_texts(rows), []) for key, rows in groups}
    shards = cached_activations(loaded, texts, progress=progress)
    languages = list(dict.fromkeys(table["language"]))
    nats = _neutral_nats(loaded, languages, settings, partial(total_nats, loaded), progress)
    recognition, consistency = analyse(table, lambda key: read_shard(shards[key]), progress=progress)
    if nats is not None:
        recognition["neutral_nats"] = (("source", "sentence"), nats)
    provenance = _provenance(model, stamp, loaded.weights, corpus_fingerprint(table), settings.dtype, settings.template)
    for path, dataset in zip(paths, (recognition, consistency), strict=True):
        save(dataset, path, provenance)
    return matching(paths[0], stamp)


def run_control(
    model: str, settings: ControlSettings, out: Path, *, keep_completions: bool = False, progress: Progress = silent
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

    loaded = load_model(model, dtype=settings.dtype, progress=progress)
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
        "settings": settings, "model": name, "title": caption(name), "weights": weights,
        "corpus": corpus, "dtype": dtype, "template": template,
    }  # fmt: skip


def _neutral_nats(loaded, languages: list[str], settings: Settings, nats, progress: Progress) -> np.ndarray | None:
    """Nats of each language's neutral sentences `[language, sentence]`, or None if the corpus has none."""
    folder = settings.folder or BUILT_IN
    if not all((folder / "neutral" / f"{code}.tsv").exists() for code in languages):
        return None
    rows = []
    for done, code in enumerate(languages):
        progress(f"competence of {loaded.name}", done, len(languages))
        rows.append(nats(load_neutral(code, data=settings.folder)[: settings.neutral]))
    progress(f"competence of {loaded.name}", len(languages), len(languages))
    return np.stack(rows)


def _grams(differences: np.ndarray) -> Iterator[np.ndarray]:
    """Gram matrices, layer by layer, of differences `[language, pair, layer, d_model]`."""
    for layer in range(differences.shape[2]):
        yield pair_gram(differences[:, :, layer])


def analyse(table: pd.DataFrame, states, *, progress: Progress = silent) -> tuple[xr.Dataset, xr.Dataset]:
    """Recognition and consistency of every concept of a table of pairs.

    `states((concept, language))` gives activations `[example, layer, d_model]`, positive examples first.
    """
    concepts, languages = list(dict.fromkeys(table["concept"])), list(dict.fromkeys(table["language"]))
    found: dict[str, list[Recognition]] = {name: [] for name in PROTOCOLS}
    shuffled, plain, halves, layers, surface, groupings = [], [], [], [], [], []
    for done, concept in enumerate(concepts):
        progress("analysing", done, len(concepts))
        rows = table[table["concept"] == concept]
        groups = group_indices(rows.loc[rows["language"] == languages[0], "group"].tolist())
        grams = list(_grams(np.stack([_differences(states((concept, code))) for code in languages])))
        found["cv"].append(cross_validated(grams, groups))
        found["paper"].append(PROTOCOLS["paper"](grams))
        shuffled.append(_shuffled(grams, groups))
        plain.append(np.stack([cosines(gram) for gram in grams], axis=-1))
        layers.append(int(np.median(found["cv"][-1].layer[:, 0])))
        halves.append(half_cosines(grams[layers[-1] - 1], groups))
        surface.append(_surface(rows, languages))
        groupings.append(groups)
    progress("analysing", len(concepts), len(concepts))
    recognition = recognition_arrays(found, concepts, languages)
    n_pairs = recognition.sizes["pair"]
    recognition["group"] = (("concept", "pair"), np.stack([_padded(g, n_pairs) for g in groupings]))
    recognition["shuffled"] = (("shuffle", "concept", "source", "target"), np.stack(shuffled, axis=1))
    recognition["surface"] = (
        ("surface_kind", "concept", "source", "pair"),
        np.stack([_padded(s, n_pairs) for s in surface], axis=1),
    )
    recognition = recognition.assign_coords(surface_kind=list(SURFACES))
    places = ("concept", "source", "target")
    consistency = xr.Dataset(
        {
            "cosine": ((*places, "layer"), np.stack(plain)),
            "corrected": (places, np.stack([h.corrected for h in halves])),
            "corrected_low": (places, np.stack([h.low for h in halves])),
            "corrected_high": (places, np.stack([h.high for h in halves])),
            "reliability": (("concept", "source"), np.stack([h.reliability for h in halves])),
            "corrected_mean": (("concept", "split"), np.stack([h.mean for h in halves])),
            "chosen_layer": (("concept",), layers),
        },
        coords={name: recognition[name].values for name in (*places, "layer")},
    )
    return recognition, consistency


def _differences(states: np.ndarray) -> np.ndarray:
    half = len(states) // 2
    return states[:half] - states[half:]


def _shuffled(grams: list[np.ndarray], groups: np.ndarray) -> np.ndarray:
    """Chosen-layer accuracy `[shuffle, source, target]` under labels shuffled in training and test alike."""
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], size=(N_SHUFFLES, len(groups))).astype(np.float32)
    return np.stack([cross_validated(grams, groups, signs=row, n_partitions=1).chosen for row in signs])


def _surface(rows: pd.DataFrame, languages: list[str]) -> np.ndarray:
    """Margins `[surface, language, pair]` of the surface classifiers, the baseline of recognition."""
    result = []
    for surface in SURFACES:
        margins = []
        for code in languages:
            part = rows[rows["language"] == code]
            spaces = language(code).spaces
            groups = part["group"].tolist()
            margins.append(
                shortcut_scores(list(part["positive"]), list(part["negative"]), groups, surface=surface, spaces=spaces)
            )
        result.append(np.stack(margins))
    return np.stack(result)


def _padded(array: np.ndarray, n_pairs: int) -> np.ndarray:
    width = [(0, 0)] * (array.ndim - 1) + [(0, n_pairs - array.shape[-1])]
    return np.pad(array.astype(float), width, constant_values=np.nan)

"""What a model's concept vectors are held against: measured on the model itself, beside its results."""

from dataclasses import replace

import numpy as np
import pandas as pd

from xlv.cache import Progress
from xlv.corpus.pairs import BUILT_IN, full_texts, load_neutral, texts_of
from xlv.models.activations import concept_states
from xlv.models.baselines import embedding_states, likelihood_margins, token_overlap, untrained
from xlv.models.likelihood import total_nats
from xlv.models.load import Model
from xlv.questions.recognition.accuracy import cross_validated, own
from xlv.questions.stored import padded
from xlv.settings import Settings
from xlv.statistics.resampling import group_indices
from xlv.statistics.vectors import Layers, pair_gram

UNTRAINED_STEP = 4  # every fourth language: enough to see chance, at a quarter of the cost


def measured(model: Model, table: pd.DataFrame, settings: Settings, progress: Progress) -> dict[str, tuple]:
    """What else is measured on the model: baselines, competence and token overlap, as variables of the results."""
    texts, languages = texts_of(table), list(dict.fromkeys(table["language"]))
    by_language = {code: sum((rows for (_, lang), rows in texts.items() if lang == code), []) for code in languages}
    found = {
        "token_overlap": (("source", "target"), token_overlap(model, by_language)),
        "embedded": (("concept", "source", "pair"), _embedded(model, table, progress)),
    }
    if settings.baselines:
        found["likelihood"] = (("concept", "source", "pair"), _likelihood(model, table, settings, progress))
        found["untrained"] = (("concept", "source", "pair"), _untrained(model, table, settings.seed, progress))
    nats = _neutral_nats(model, languages, settings, progress)
    return found if nats is None else found | {"neutral_nats": (("source", "sentence"), nats)}


def _own_hits(states: Layers, n_layers: int, rows: pd.DataFrame) -> np.ndarray:
    """Hits `[language, pair]` of own vectors of one concept on held-out pairs."""
    groups = group_indices(rows.loc[rows["language"] == rows["language"].iloc[0], "group"].tolist())
    half = len(groups)
    grams = (pair_gram(here[:, :half] - here[:, half:]) for here in map(states, range(1, n_layers + 1)))
    return own(cross_validated(grams, groups).correct)


def _embedded(model: Model, table: pd.DataFrame, progress: Progress) -> np.ndarray:
    """Hits `[concept, language, pair]` on the mean of a text's token embeddings."""
    progress(f"embeddings of {model.name}", 0, 1)
    texts, concepts = texts_of(table), list(dict.fromkeys(table["concept"]))
    result = []
    for concept in concepts:
        here = np.stack([embedding_states(model, rows) for (name, _), rows in texts.items() if name == concept])
        result.append(_own_hits(lambda _, here=here: here, 1, table[table["concept"] == concept]))
    return _level(result)


def _untrained(model: Model, table: pd.DataFrame, seed: int, progress: Progress) -> np.ndarray:
    """Hits `[concept, language, pair]` of a random model of the same shape, in every fourth language (else NaN)."""
    languages = list(dict.fromkeys(table["language"]))
    asked = table[table["language"].isin(languages[::UNTRAINED_STEP])]
    blank = replace(untrained(model, seed=seed), name=f"{model.name}, untrained")
    result = []
    for concept, states in concept_states(blank, texts_of(asked), progress=progress).items():
        found = _own_hits(states, model.n_layers, asked[asked["concept"] == concept])
        result.append(np.full((len(languages), found.shape[1]), np.nan))
        result[-1][::UNTRAINED_STEP] = found
    return _level(result)


def _level(rows: list[np.ndarray]) -> np.ndarray:
    """Concepts of different numbers of pairs as one array, padded with NaN."""
    n_pairs = max(row.shape[-1] for row in rows)
    return np.stack([padded(row, n_pairs) for row in rows])


def _likelihood(model: Model, table: pd.DataFrame, settings: Settings, progress: Progress) -> np.ndarray:
    """Nats by which the positive text is likelier `[concept, language, pair]`, for the first pairs of each concept."""
    groups = table.groupby(["concept", "language"], sort=False)
    n_pairs, rows = int(groups.size().max()), []
    for done, (_, part) in enumerate(groups):
        progress(f"likelihood under {model.name}", done, groups.ngroups)
        positive, negative = (texts[: settings.likelihood_pairs] for texts in full_texts(part))
        rows.append(padded(likelihood_margins(model, positive, negative), n_pairs))
    progress(f"likelihood under {model.name}", groups.ngroups, groups.ngroups)
    return np.stack(rows).reshape(table["concept"].nunique(), -1, n_pairs)


def _neutral_nats(model: Model, languages: list[str], settings: Settings, progress: Progress) -> np.ndarray | None:
    """Nats of each language's neutral sentences `[language, sentence]`, or None if one has none.

    The corpus's own neutral sentences, or the built-in ones for a corpus without.
    """
    own = settings.folder
    folder = own if own and (own / "neutral").is_dir() else BUILT_IN
    if not all((folder / "neutral" / f"{code}.tsv").exists() for code in languages):
        return None
    rows = []
    for done, code in enumerate(languages):
        progress(f"competence of {model.name}", done, len(languages))
        rows.append(total_nats(model, load_neutral(code, data=folder)[: settings.neutral]))
    progress(f"competence of {model.name}", len(languages), len(languages))
    return np.stack(rows)

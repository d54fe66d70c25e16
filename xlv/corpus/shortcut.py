"""How far surface classifiers get on a concept: the accuracy that a vector has to beat."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from xlv.corpus.languages import language
from xlv.statistics.vectors import hits

SURFACES = ("words", "characters")
FOLDS = 8
_TIE = 1e-9  # margins of texts that a classifier sees no difference between
# \w alone splits Tamil and Telugu words at their vowel signs, which are combining marks.
_WORD = r"(?:\w|[\u0300-\u036f\u0900-\u0dff])+"


def _vectoriser(surface: str, spaces: bool) -> TfidfVectorizer:
    if surface == "words" and spaces:
        return TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True)
    if surface == "words":  # no spaces: single characters and bigrams stand in for words
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
    return TfidfVectorizer(analyzer="char_wb" if spaces else "char", ngram_range=(1, 5), sublinear_tf=True)


def shortcut_scores(
    positive: Sequence[str], negative: Sequence[str], groups: Sequence[str], *, surface: str, spaces: bool = True
) -> np.ndarray:
    """Held-out margins `[pair]` of a surface classifier: score of the positive text minus the negative's.

    Logistic regression on tf-idf of `surface` ("words" or "characters"), folds by group. A pair is
    recognised when its margin is above zero; no pair shares a group with one it was trained on.
    Raises ValueError when there are fewer than two groups or the surface is unknown.
    """
    if surface not in SURFACES:
        raise ValueError(f"unknown surface {surface!r}: choose one of {', '.join(SURFACES)}")
    n_groups = len(set(groups))
    if n_groups < 2:
        raise ValueError(f"expected pairs of at least two groups, got {n_groups}: folds never split a group")
    positive, negative = np.asarray(positive, dtype=object), np.asarray(negative, dtype=object)
    margins = np.zeros(len(positive))
    model = make_pipeline(_vectoriser(surface, spaces), LogisticRegression(C=10.0, solver="liblinear"))
    for train, test in GroupKFold(min(FOLDS, n_groups)).split(positive, groups=groups):
        model.fit(np.concatenate([positive[train], negative[train]]), np.repeat([1, 0], len(train)))
        margins[test] = model.decision_function(positive[test]) - model.decision_function(negative[test])
    return margins


def surface_margins(pairs: pd.DataFrame, languages: Sequence[str]) -> np.ndarray:
    """`shortcut_scores` `[surface, language, pair]` of one concept's table of pairs, SURFACES in order."""
    margins = []
    for surface, code in product(SURFACES, languages):
        rows, spaces = pairs[pairs["language"] == code], language(code).spaces
        margins.append(
            shortcut_scores(rows["positive"], rows["negative"], rows["group"], surface=surface, spaces=spaces)
        )
    return np.reshape(margins, (len(SURFACES), len(languages), -1))


def shortcut_accuracy(margins: np.ndarray) -> float:
    """Share of pairs with a positive margin, ties counting one half."""
    return float(hits(np.where(np.abs(margins) <= _TIE, 0, margins)).mean())

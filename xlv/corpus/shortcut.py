"""How far surface classifiers get on a concept: the accuracy that a vector has to beat."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from xlv.corpus.languages import language

SURFACES = ("words", "characters")
FOLDS = 8
_TIE = 1e-9  # margins of texts that a classifier sees no difference between
# \w alone splits Tamil and Telugu words at their vowel signs, which are combining marks.
_WORD = r"(?:\w|[\u0300-\u036f\u0900-\u0dff])+"


def shortcut_scores(
    positive: Sequence[str], negative: Sequence[str], groups: Sequence[str], *, surface: str, spaces: bool = True
) -> np.ndarray:
    """Held-out margins `[pair]` of a surface classifier: score of the positive text minus the negative's.

    Logistic regression on tf-idf of `surface`, "words" or "characters". A pair is recognised when its margin is above
    zero; none shares a group with one trained on. Raises ValueError for an unknown surface or fewer than two groups.
    """
    if surface not in SURFACES:
        raise ValueError(f"unknown surface {surface!r}: choose one of {', '.join(SURFACES)}")
    n_groups = len(set(groups))
    if n_groups < 2:
        raise ValueError(f"expected pairs of at least two groups, got {n_groups}: folds never split a group")
    margins, longest = np.zeros(len(positive)), 2 if surface == "words" else 5
    units = {"analyzer": "char_wb" if spaces else "char", "ngram_range": (1, longest)}
    if surface == "words" and spaces:  # without spaces, single characters and bigrams stand in for words
        units = {"token_pattern": _WORD}
    counts = CountVectorizer(**units).fit_transform([*positive, *negative])  # once: most of the time is spent on it
    model = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10.0, solver="liblinear"))
    for train, test in GroupKFold(min(FOLDS, n_groups)).split(positive, groups=groups):
        rows = counts[np.concatenate([train, train + len(positive)])]
        known = rows.getnnz(axis=0) > 0  # what only the held-out texts have is as unknown as if it had not been counted
        model.fit(rows[:, known], np.repeat([1, 0], len(train)))
        positive_side, negative_side = counts[test][:, known], counts[test + len(positive)][:, known]
        margins[test] = model.decision_function(positive_side) - model.decision_function(negative_side)
    return np.where(np.abs(margins) <= _TIE, 0.0, margins)


def surface_margins(pairs: pd.DataFrame, languages: Sequence[str]) -> np.ndarray:
    """`shortcut_scores` `[surface, language, pair]` of one concept's table of pairs, SURFACES in order."""
    margins = []
    for surface, code in product(SURFACES, languages):
        columns = pairs.loc[pairs["language"] == code, ["positive", "negative", "group"]]
        margins.append(shortcut_scores(*columns.to_numpy().T, surface=surface, spaces=language(code).spaces))
    return np.reshape(margins, (len(SURFACES), len(languages), -1))

"""Linguistic similarity of the sixteen languages, from URIEL."""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

KINDS = ("genetic", "syntactic", "geographic", "phonological")


def linguistic_similarity(languages: Sequence[str]) -> dict[str, np.ndarray]:
    """Similarities `[language, language]`, 1 − URIEL distance, by kind; NaN where URIEL has no shared features."""
    table = pd.read_csv(str(files("xlv.corpus") / "uriel" / "distances.csv"), keep_default_na=False, na_values=[""])
    index = {code: i for i, code in enumerate(languages)}
    result = {kind: np.full((len(languages), len(languages)), np.nan) for kind in KINDS}
    for kind, matrix in result.items():
        np.fill_diagonal(matrix, 1.0)
        for first, second, distance in zip(table["first"], table["second"], table[kind], strict=True):
            if first in index and second in index:
                matrix[index[first], index[second]] = matrix[index[second], index[first]] = 1.0 - distance
    return result

"""Linguistic similarity of the sixteen languages, from URIEL."""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

KINDS = ("genetic", "syntactic", "geographic", "phonological")


def linguistic_similarity(languages: Sequence[str]) -> dict[str, np.ndarray]:
    """Similarities `[language, language]`, 1 − URIEL distance, by kind; NaN where URIEL has no shared features."""
    table = pd.read_csv(str(files("xlv.corpus") / "uriel" / "distances.csv"), keep_default_na=False, na_values=[""])
    back = table.rename(columns={"first": "second", "second": "first"})
    distances = pd.concat([table, back]).set_index(["first", "second"])
    result = {}
    for kind in KINDS:
        result[kind] = 1 - distances[kind].unstack().reindex(index=languages, columns=languages).to_numpy()
        np.fill_diagonal(result[kind], 1.0)
    return result

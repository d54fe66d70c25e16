"""The paper's own measures: all that published results allow, for they hold no single pairs.

Protocol `paper`, the layer with the best test accuracy for each source and target, and plain cosines, largest over
layers; means over value concepts.
"""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import labels
from xlv.questions.common import between, frame, over_values
from xlv.questions.consistency.tables import consistency_matrix
from xlv.questions.transfer.one_way import transferability
from xlv.results import Results


def accuracy(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy, source by target, at the best layer."""
    return frame(over_values(dataset["accuracy"].sel(protocol="paper")))


def differences(dataset: xr.Dataset) -> pd.DataFrame:
    """Transferability T of these accuracies, source by target (Figure 4 of the paper)."""
    return frame(transferability(over_values(dataset["accuracy"].sel(protocol="paper"))))


def own_accuracy(datasets: Results) -> pd.DataFrame:
    """Own-language accuracy, languages by models, with the mean below."""
    own = {d.attrs["title"]: pd.Series(np.diagonal(t := accuracy(d)), index=t.index) for d in datasets.values()}
    table = pd.DataFrame(own)
    order = list(dict.fromkeys(code for column in own.values() for code in column.index))
    table = table.loc[order].set_axis(labels(order))
    return pd.concat([table, table.mean().to_frame("mean").T])


def summary(recognition: Results, consistency: Results) -> pd.DataFrame:
    """By model's title: mean accuracy of own vectors and across languages, and mean cosine between languages.

    The cosine is NaN where published results have no vectors, and what needs two languages where there is one.
    """
    rows = {}
    for model, dataset in recognition.items():
        table, alike = accuracy(dataset).to_numpy(), np.nan
        if model in consistency:
            alike = between(consistency_matrix(consistency[model], plain=True).to_numpy())
        rows[dataset.attrs["title"]] = {"own": np.diagonal(table).mean(), "across": between(table), "cosine": alike}
    return pd.DataFrame(rows, dtype=float).T

"""What the paper shows, measured as the paper measures it: the view in which published results stand beside ours.

Protocol `paper`, the layer with the best test accuracy for each source and target, and plain cosines, largest over
layers: nothing here needs single pairs, which published results do not have.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from xlv.corpus.languages import labels
from xlv.questions.common import value_concepts
from xlv.questions.transfer.one_way import transferability
from xlv.report.style import matrices
from xlv.results import is_published

Results = Mapping[str, xr.Dataset]


def accuracy(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy, source by target, at the best layer, mean over value concepts."""
    best = dataset["accuracy"].sel(protocol="paper")
    return _frame(best.sel(concept=value_concepts(dataset)).mean("concept"))


def cosine(dataset: xr.Dataset) -> pd.DataFrame:
    """Cosine of two languages' vectors, largest over layers, mean over value concepts."""
    return _frame(dataset["cosine"].sel(concept=value_concepts(dataset)).max("layer").mean("concept"))


def _frame(matrix: xr.DataArray) -> pd.DataFrame:
    return pd.DataFrame(matrix.values, index=matrix["source"].values, columns=matrix["target"].values)


def own_accuracy(datasets: Results) -> pd.DataFrame:
    """Own-language accuracy, languages by models, with the mean below."""
    own = {d.attrs["title"]: pd.Series(np.diagonal(t := accuracy(d)), index=t.index) for d in datasets.values()}
    table = pd.DataFrame(own)
    order = list(dict.fromkeys(code for column in own.values() for code in column.index))
    table = table.loc[order].set_axis(labels(order))
    return pd.concat([table, table.mean().to_frame("mean").T])


def transfer_maps(datasets: Results) -> Figure:
    """Transferability, sources down and targets across, one matrix a model (Figure 4 of the paper)."""
    tables = [accuracy(dataset) for dataset in datasets.values()]
    frames = [pd.DataFrame(transferability(t.to_numpy()), index=t.index, columns=t.columns) for t in tables]
    limit = max(0.1, *(float(np.abs(frame.to_numpy()).max()) for frame in frames))
    look = {"cmap": "RdBu_r", "low": -limit, "high": limit, "text": "{:+.2f}", "label": "transferability T"}
    return matrices(frames, _titles(datasets), diagonal=False, **look)[0]


def _titles(datasets: Results) -> list[str]:
    """Whole titles: they say which results are others'."""
    return [dataset.attrs["title"] for dataset in datasets.values()]


def cosine_maps(datasets: Results) -> Figure:
    """Plain cosines, one matrix a model."""
    frames = [cosine(dataset) for dataset in datasets.values()]
    look = {"cmap": "PuOr_r", "low": -1.0, "high": 1.0, "text": "{:.2f}", "label": "cosine (largest over layers)"}
    return matrices(frames, _titles(datasets), **look)[0]


def answer(recognition: Results, consistency: Results) -> str:
    """In words: how well each model's languages read themselves and each other, and how alike their vectors are."""
    lines = []
    for model, dataset in recognition.items():
        table = accuracy(dataset).to_numpy()
        line = f"- **{dataset.attrs['title']}**: own accuracy {np.diagonal(table).mean():.2f}, across languages "
        line += f"{_off(table).mean():.2f}"
        if model in consistency:
            line += f"; mean cosine between languages {_off(cosine(consistency[model]).to_numpy()).mean():.2f}"
        lines.append(line + ".")
    if not any(map(is_published, recognition.values())):
        lines.append("- No published results were imported into this edition; `xlv import-results` adds the paper's.")
    return "\n".join(lines)


def _off(matrix: np.ndarray) -> np.ndarray:
    return matrix[~np.eye(len(matrix), dtype=bool)]

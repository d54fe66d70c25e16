"""What the paper shows, measured as the paper measures it: the view in which published results stand beside ours."""

import numpy as np
from matplotlib.figure import Figure

from xlv.questions import as_published as tables
from xlv.report.drawing import Results, matrices
from xlv.results import is_published


def transfer_maps(datasets: Results) -> Figure:
    """Transferability, sources down and targets across, one matrix per model (Figure 4 of the paper)."""
    look = {"cmap": "RdBu_r", "reach": 0.1, "text": "{:+.2f}", "label": "transferability T", "diagonal": False}
    return matrices(datasets, tables.differences, whole=True, **look)[0]


def cosine_maps(datasets: Results) -> Figure:
    """Plain cosines, one matrix per model."""
    look = {"cmap": "PuOr_r", "low": -1.0, "high": 1.0, "label": "cosine (largest over layers)"}
    return matrices(datasets, tables.cosine, whole=True, **look)[0]


def answer(recognition: Results, consistency: Results) -> str:
    """In words: how well each model's languages read themselves and each other, and how alike their vectors are."""
    lines = []
    for title, row in tables.summary(recognition, consistency).iterrows():
        alike = f"; mean cosine between languages {row['cosine']:.2f}" if np.isfinite(row["cosine"]) else ""
        lines.append(f"- **{title}**: own accuracy {row['own']:.2f}, across languages {row['across']:.2f}{alike}.")
    if not any(map(is_published, recognition.values())):
        lines.append("- No published results were imported into this edition; `xlv import-results` adds the paper's.")
    return "\n".join(lines)

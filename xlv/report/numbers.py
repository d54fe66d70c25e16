"""The numbers behind a figure as a file to download: a link that carries its data, so that it works offline too."""

from base64 import b64encode
from collections.abc import Callable
from html import escape

import pandas as pd
import xarray as xr
from IPython.display import HTML

DIGITS = 5


def csv_text(make: Callable[[xr.Dataset], pd.DataFrame], datasets: dict[str, xr.Dataset]) -> str:
    """One CSV with a table a model, stacked: the first column is the model's title."""
    frames = {dataset.attrs["title"]: make(dataset) for dataset in datasets.values()}
    return pd.concat(frames, names=["model"]).round(DIGITS).to_csv()


def numbers(name: str, make: Callable[[xr.Dataset], pd.DataFrame], datasets: dict[str, xr.Dataset]) -> HTML:
    """A link to `name.csv` with what `make` gives for each model, embedded in the page."""
    data = b64encode(csv_text(make, datasets).encode()).decode()
    href, file = f"data:text/csv;charset=utf-8;base64,{data}", escape(f"{name}.csv")
    return HTML(f'<p class="numbers"><a download="{file}" href="{href}">Numbers behind it: {file}</a></p>')

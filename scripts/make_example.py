"""The states of the worked chapter and of the home page's picture, from a real model: `book/example.nc`.

    python -m scripts.make_example

Last-token states of the first pairs of one concept in a few languages at the layer that cross-validation chose, as
labelled arrays: small enough to be committed, so that the book builds without a model.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from xlv.corpus.pairs import load_pairs
from xlv.models.activations import pair_states
from xlv.models.load import load_model
from xlv.results import load

MODEL, CONCEPT, LANGUAGES, PAIRS = "gemma-3-270m", "toxicity", ("en", "es", "sw"), 64
RESULTS = Path("book/results")


def main() -> None:
    """Read the states and write the file."""
    layer = int(load(RESULTS / MODEL / "consistency.nc")["chosen_layer"].sel(concept=CONCEPT))
    table = load_pairs(concepts=[CONCEPT], languages=LANGUAGES, cohort="first")
    model = load_model(MODEL, dtype="fp32", template="raw")
    states = pair_states(model, table)[CONCEPT](layer)  # [language, example, d_model], positive examples first
    sides = np.stack(np.split(states, 2, axis=1), axis=1)[:, :, :PAIRS]
    step = np.abs(sides).max() / 32_000
    array = xr.DataArray(
        sides,
        {"language": list(LANGUAGES), "side": ["positive", "negative"], "pair": np.arange(1, PAIRS + 1)},
        ("language", "side", "pair", "d_model"),
        "state",
        {"model": model.name, "concept": CONCEPT, "layer": layer, "weights": model.weights_fingerprint},
    )
    packed = {"state": {"dtype": "int16", "scale_factor": float(step), "zlib": True, "_FillValue": -32_768}}
    array.to_dataset().to_netcdf(Path("book/example.nc"), encoding=packed)


if __name__ == "__main__":
    main()

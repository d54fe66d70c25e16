"""Results made anew against those committed in book/results: `pytest tests/reference_results.py --results FOLDER`."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xlv.results import load

COMMITTED = Path(__file__).parents[1] / "book" / "results"
RECOGNITION, CONSISTENCY = (
    sorted(
        path.relative_to(COMMITTED) for below in ("*", "*/chat") for path in COMMITTED.glob(f"{below}/{question}.nc")
    )
    for question in ("recognition", "consistency")
)
HUNDREDTH = 0.01


@pytest.fixture
def folder(pytestconfig) -> Path:
    if not pytestconfig.getoption("--results"):
        pytest.skip("say which results to compare: --results FOLDER")
    return Path(pytestconfig.getoption("--results"))


def made_anew(folder: Path, path: Path) -> xr.Dataset:
    """What a run has written below the folder of its settings, of which there is one for each reading."""
    reading = "chat" if path.parent.name == "chat" else "raw"
    [found] = (folder / path.parts[0]).glob(f"full-{reading}-*/{path.name}")
    return load(found)


@pytest.mark.parametrize("path", RECOGNITION, ids=str)
def test_accuracies_are_within_one_pair_a_cell_and_in_bf16_within_half_a_hundredth_on_average(path, folder):
    committed, anew = load(COMMITTED / path), made_anew(folder, path)
    assert anew.attrs["corpus"] == committed.attrs["corpus"] and anew.attrs["weights"] == committed.attrs["weights"]
    assert (committed["correct"].notnull().sum("pair") > 0).all()
    if committed.attrs["dtype"] == "fp32":
        difference = committed["correct"].sum("pair") - anew["correct"].sum("pair")
        assert float(np.abs(difference).max()) <= 1.0
    else:  # sums in bf16 depend on the shapes of batches and on threads: cells differ by pairs, their mean does not
        assert float(np.abs(committed["correct"].mean() - anew["correct"].mean())) <= HUNDREDTH / 2


@pytest.mark.parametrize("path", CONSISTENCY, ids=str)
@pytest.mark.parametrize("name", ["cosine", "moment"])
def test_cosines_are_within_a_hundredth(path, name, folder):
    committed, anew = load(COMMITTED / path), made_anew(folder, path)
    if committed.attrs["dtype"] != "fp32":
        pytest.skip("cosines in bf16 depend on the shapes of batches")
    committed, anew = committed[name], anew[name]
    assert (np.isfinite(committed) == np.isfinite(anew)).all()
    assert float(np.abs(committed - anew).max()) <= HUNDREDTH

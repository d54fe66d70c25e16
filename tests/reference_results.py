"""Results made anew against those committed in book/results: `pytest tests/reference_results.py --results FOLDER`."""

from pathlib import Path

import numpy as np
import pytest

from xlv.report.results import load

COMMITTED = Path(__file__).parents[1] / "book" / "results"
FILES = sorted(path.relative_to(COMMITTED) for path in COMMITTED.rglob("recognition.nc"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_accuracies_are_within_one_pair_a_cell(path, pytestconfig):
    folder = pytestconfig.getoption("--results")
    if not folder:
        pytest.skip("say which results to compare: --results FOLDER")
    committed, anew = load(COMMITTED / path), load(Path(folder) / path)
    assert anew.attrs["corpus"] == committed.attrs["corpus"] and anew.attrs["weights"] == committed.attrs["weights"]
    counted = committed["correct"].notnull().sum("pair")
    difference = np.abs(committed["correct"].sum("pair") - anew["correct"].sum("pair"))
    assert (counted > 0).all() and float(difference.max()) <= 1.0

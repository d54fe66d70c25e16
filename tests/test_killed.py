"""A study that is killed, at any moment or before any rename, and run again: the same results to the bit."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fuzz
RENAMES = 11  # of a whole run


def test_a_study_killed_anywhere_and_resumed_has_the_same_results_to_the_bit(saved_model, tmp_path, runs):
    dice = random.Random(0)
    at_renames = [f"{dtype},rename,{k}" for dtype in ("bf16", "fp32") for k in range(1, RENAMES + 1)]
    at_random = [f"{dtype},time,{dice.random():.3f}" for dtype in ("bf16", "fp32") for _ in range(10)]
    some = slice(runs(0, sample=3), runs(2 * RENAMES, sample=RENAMES), runs(1, sample=4))
    kills = [*at_random[: runs(20, sample=1)], *at_renames[some]]
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "tests.killed_study", saved_model, tmp_path, *kills]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("the same") == len(kills) and f": {RENAMES} renames" in done.stdout

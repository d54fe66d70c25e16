"""Results of earlier schemas become results of this one with the same numbers; other files stay as they are."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from scripts.convert_results import convert
from xlv.results import load, save
from xlv.schema import ABLATION, ADDITION, ATTRIBUTES, DIRECTIONS, NOTHING, OWN, RANDOM, SYSTEM, VERSION

SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_results.py"
OLD = {"schema": 3, "xlv": "0.1.0", "settings": "abc", "model": "m", "corpus": "def"}
GENERATOR = np.random.default_rng(0)
LANGUAGES, CELL = ["en", "fr"], ("protocol", "concept", "source", "target")
CONDITIONS = [  # name, means and effect, as version 0.1 wrote them; then method, source, concept and draw
    ("no control", "nothing", "", NOTHING, "", "", -1),
    ("English vector (towards refusing)", "source vector", DIRECTIONS[0], ADDITION, "en", "harmfulness", -1),
    ("Chinese vector (towards following)", "other source's vector", DIRECTIONS[1], ADDITION, "zh", "harmfulness", -1),
    ("own vector (towards refusing)", "own vector", DIRECTIONS[0], ADDITION, OWN, "harmfulness", -1),
    ("sentiment vector (towards refusing)", "other concept's vector", DIRECTIONS[0], ADDITION, "en", "sentiment", -1),
    ("random 12 (towards following)", "random vector", DIRECTIONS[1], RANDOM, "en", "harmfulness", 11),
    ("ablation", "ablation", DIRECTIONS[1], ABLATION, "en", "harmfulness", -1),
    ("system prompt", "system prompt", DIRECTIONS[0], SYSTEM, "", "", -1),
]


def old_recognition(**more) -> xr.Dataset:
    by_layer = GENERATOR.integers(0, 9, (2, 1, 2, 2, 4)) / 8
    coords = {"protocol": ["cv", "paper"], "concept": ["morality"], "source": LANGUAGES, "target": LANGUAGES}
    return xr.Dataset({"accuracy": ((*CELL, "layer"), by_layer), **more}, coords | {"layer": [1, 2, 3, 4]}, OLD)


def old_control() -> xr.Dataset:
    names, means, effects = (list(column) for column in zip(*(row[:3] for row in CONDITIONS), strict=True))
    grid, generator = ("source", "direction", "window", "dose"), GENERATOR
    sizes = {"source": 2, "direction": 2, "window": 1, "dose": 2, "rate": 4}

    def drawn(*dims: str) -> tuple:
        return dims, generator.uniform(size=[sizes[dim] for dim in dims])

    return xr.Dataset(
        {
            "score": (("condition", "kind", "target", "prompt"), generator.normal(size=(len(names), 2, 2, 3))),
            "response_score": (
                ("direction", "response_dose", "kind", "target", "response_prompt"),
                generator.normal(size=(2, 1, 2, 2, 2)),
            ),
            "search_score": drawn(*grid),
            "search_divergence": drawn(*grid),
            "search_rate": drawn("rate", *grid),
            "search_baseline": drawn("source"),
            "search_baseline_rate": drawn("rate", "source"),
            "strength": drawn("source", "direction"),
            "chosen_dose": drawn("source", "direction"),
            "first_layer": (("source", "direction"), [[5, 6], [7, 8]]),
            "last_layer": (("source", "direction"), [[11, 12], [13, 14]]),
        },
        {
            "condition": names,
            "means": ("condition", means),
            "effect": ("condition", effects),
            "kind": ["harmful", "harmless"],
            "target": LANGUAGES,
            "direction": list(DIRECTIONS),
            "response_dose": [0.01],
            "source": ["en", "zh"],
            "window": ["5–11"],
            "dose": [0.01, 0.02],
            "rate": ["refusal", "broken", "over-refusal", "following"],
        },
        OLD | {"source": "en", "concept": "harmfulness", "judge": "rules"},
    )


def written(dataset: xr.Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.to_netcdf(path)
    return path


def test_accuracy_at_the_chosen_layer_becomes_a_variable_of_its_own(tmp_path):
    correct = GENERATOR.integers(0, 2, (2, 1, 2, 2, 8)).astype(float)
    correct[1, ..., :6] = np.nan  # no test pairs of protocol paper
    old = old_recognition(correct=((*CELL, "pair"), correct))
    path = written(old, tmp_path / "m" / "recognition.nc")
    assert convert(path)
    new = load(path)
    assert new["accuracy"].dims == CELL
    np.testing.assert_allclose(new["accuracy"], np.nanmean(correct, axis=-1), atol=1e-6)
    np.testing.assert_allclose(new["accuracy_by_layer"], old["accuracy"], atol=1e-6)
    np.testing.assert_allclose(new["correct"], correct)
    about = {"schema": VERSION, "xlv": new.attrs["xlv"], "computed_by": "xlv 0.1.0", "stamp": "abc", "settings": "{}"}
    assert new.attrs == dict.fromkeys(ATTRIBUTES, "") | OLD | about


@pytest.mark.parametrize(("profile", "pairs"), [("quick", 16), ("medium", 32)])
def test_the_settings_of_the_profile_named_are_written_into_a_file_of_the_last_schema(tmp_path, profile, pairs):
    about = OLD | {"schema": 4, "dtype": "fp32", "template": "raw", "model": "gemma-3-270m", "weights": "w"}
    old = old_recognition()["accuracy"].max("layer").to_dataset().assign_attrs(about)
    path = written(old, tmp_path / "m" / "recognition.nc")
    assert convert(path, profile)
    new = load(path)
    np.testing.assert_allclose(new["accuracy"], old["accuracy"], atol=1e-6)
    assert (new.attrs["preset"], new.attrs["identity"]) == ("gemma-3-270m", "w")
    settings = json.loads(new.attrs["settings"])
    assert (settings["pairs"], settings["dtype"], settings["baselines"]) == (pairs, "fp32", False)
    assert (settings["cohort"], settings["concepts"]) == ("first", None)


def test_without_single_pairs_the_best_layer_is_the_chosen_one(tmp_path):
    """Published results: protocol paper, which chooses the best layer for each source and target."""
    old = old_recognition().sel(protocol=["paper"])
    path = written(old, tmp_path / "m" / "recognition.nc")
    assert convert(path)
    np.testing.assert_allclose(load(path)["accuracy"], old["accuracy"].max("layer"), atol=1e-6)


def test_conditions_get_coordinates_in_place_of_names_to_be_parsed(tmp_path):
    old = old_control()
    path = written(old, tmp_path / "m" / "control.nc")
    assert convert(path)
    new = load(path)
    for row, condition in zip(CONDITIONS, new["condition"], strict=True):
        found = [condition[name].item() for name in ("method", "source", "concept", "draw")]
        assert [str(condition.item()), str(condition["direction"].item()), *found] == [row[0], row[2], *row[3:]]
    np.testing.assert_allclose(new["score"], old["score"], atol=2e-3)
    assert not {"means", "effect"} & set(new.variables)


def test_the_search_has_dimensions_of_its_own(tmp_path):
    old = old_control()
    path = written(old, tmp_path / "m" / "control.nc")
    convert(path)
    new = load(path)
    assert new["search_rate"].dims == ("rate", "searched", "towards", "window", "dose")
    assert list(new["searched"].values) == ["en", "zh"] and list(new["towards"].values) == list(DIRECTIONS)
    for name in ("search_score", "search_divergence", "search_rate", "strength", "first_layer", "last_layer"):
        np.testing.assert_allclose(new[name], old[name], atol=1e-6)
    np.testing.assert_allclose(new["response_score"], old["response_score"], atol=2e-3)
    assert list(new["rate"].values) == list(old["rate"].values) and list(new["window"].values) == ["5–11"]
    assert {"source", "concept", "judge"} <= set(new.attrs)


def test_consistency_only_gets_the_number_of_the_schema(tmp_path):
    cosine = GENERATOR.uniform(size=(1, 2, 2, 4))
    dims = ("concept", "source", "target", "layer")
    coords = {"concept": ["morality"], "source": LANGUAGES, "target": LANGUAGES, "layer": range(1, 5)}
    path = written(xr.Dataset({"cosine": (dims, cosine)}, coords, OLD), tmp_path / "m" / "consistency.nc")
    assert convert(path)
    np.testing.assert_allclose(load(path)["cosine"], cosine, atol=1e-6)


@pytest.mark.parametrize("schema", [2, VERSION, None])
def test_files_of_another_schema_are_left_alone(tmp_path, schema):
    path = tmp_path / "m" / "recognition.nc"
    if schema == VERSION:
        save(old_recognition()["accuracy"].max("layer").to_dataset(), path, {})
    else:
        written(old_recognition().assign_attrs({"schema": schema} if schema else {"schema": "none"}), path)
    before, when = path.read_bytes(), path.stat().st_mtime_ns
    assert not convert(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, when)


def test_a_folder_is_converted_by_one_command_and_a_second_time_left_as_it_is(tmp_path, monkeypatch, capsys):
    one = written(old_recognition(), tmp_path / "one" / "recognition.nc")
    two = written(old_control(), tmp_path / "series" / "two" / "control.nc")
    monkeypatch.setattr(sys, "argv", ["convert_results.py", str(tmp_path)])
    for said in ("converted", "left as it is"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
        assert capsys.readouterr().out.splitlines() == [f"{one} {said}", f"{two} {said}"]

import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from xlv.corpus.concepts import CONCEPTS
from xlv.corpus.languages import LANGUAGES
from xlv.questions.transfer.tables import transfer_matrix
from xlv.report.explorer import data_text, explorer, model_data, packed

ROOT = Path(__file__).resolve().parents[2]


def unpacked(text: dict, shape: tuple[int, ...]) -> np.ndarray:
    """What the page's script reads out of a packed array."""
    codes = np.frombuffer(b64decode(text["data"]), f"<u{text['bits'] // 8}").reshape(shape)
    top = 2 ** text["bits"] - 2
    return np.where(codes > top, np.nan, text["low"] + codes / top * (text["high"] - text["low"]))


def results(concepts, languages, layers: int, pairs: int = 8, seed: int = 0) -> tuple[xr.Dataset, xr.Dataset]:
    """Recognition and consistency of random numbers, as of a model with these concepts, languages and layers."""
    draw = np.random.default_rng(seed)
    shape = (len(concepts), len(languages), len(languages))
    names = {"concept": list(concepts), "source": list(languages), "target": list(languages)}
    names["layer"] = np.arange(1, layers + 1)
    protocol, places = ("protocol", "concept", "source", "target"), ("concept", "source", "target")
    correct = draw.integers(0, 2, (2, *shape, pairs)).astype(float)
    recognition = xr.Dataset(
        {
            "accuracy": (protocol, correct.mean(axis=-1)),
            "accuracy_by_layer": ((*protocol, "layer"), draw.random((2, *shape, layers))),
            "correct": ((*protocol, "pair"), correct),
            "chosen_layer": (protocol, draw.integers(1, layers + 1, (2, *shape))),
        },
        coords={**names, "protocol": ["cv", "paper"]},
        attrs={"title": "A model <b>", "model": "a-model", "preset": ""},
    )
    consistency = xr.Dataset(
        {
            "cosine": ((*places, "layer"), draw.uniform(-1, 1, (*shape, layers))),
            "chosen_layer": ("concept", draw.integers(1, layers + 1, len(concepts))),
        },
        coords=names,
    )
    return recognition, consistency


@pytest.mark.parametrize(("low", "high", "bits"), [(0, 1, 8), (-1, 1, 8), (0, 1, 16), (-1, 1, 16)])
def test_a_packed_array_comes_back_within_half_a_step(low, high, bits):
    array = np.random.default_rng(1).uniform(low, high, (3, 5, 5))
    array[0, 0, :3] = low, high, np.nan
    back = unpacked(packed(array, low, high, bits), array.shape)
    assert np.array_equal(np.isnan(back), np.isnan(array))
    assert np.nanmax(np.abs(back - array)) <= 0.5 * (high - low) / (2**bits - 2) + 1e-12
    assert back[0, 0, 0] == low and back[0, 0, 1] == high


def test_values_outside_the_range_are_refused_but_not_a_rounding_error():
    assert unpacked(packed(np.array([1.0000002]), -1, 1), (1,)) == 1
    with pytest.raises(ValueError, match="between 0 and 1, got 1.2"):
        packed(np.array([0.5, 1.2]), 0, 1)


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_the_page_has_every_cell_at_every_layer_and_at_the_chosen_one(protocol):
    recognition, consistency = results(("morality", "tense"), ("en", "sw", "xx"), layers=5)
    data, shape = model_data(recognition, consistency, protocol), (2, 3, 3)
    found = recognition.sel(protocol=protocol)
    assert np.allclose(unpacked(data["accuracy"], (*shape, 5)), found["accuracy_by_layer"], atol=0.002)
    assert np.allclose(unpacked(data["cosine"], (*shape, 5)), consistency["cosine"], atol=0.004)
    assert np.array_equal(unpacked(data["chosen_layer"], shape), found["chosen_layer"])
    cosine = np.stack([consistency["cosine"].values[c, :, :, k - 1] for c, k in enumerate(consistency["chosen_layer"])])
    assert np.allclose(unpacked(data["chosen_cosine"], shape), cosine, atol=2e-5)
    assert data["concepts"] == [{"name": "morality", "value": True}, {"name": "tense", "value": False}]
    assert [known["label"] for known in data["languages"]] == ["English (en)", "Swahili (sw)", "xx"]


def test_the_chosen_layer_s_numbers_are_those_of_the_other_chapters():
    recognition, consistency = results(("morality", "fairness"), ("en", "fr", "sw"), layers=4)
    accuracy = unpacked(model_data(recognition, consistency)["chosen_accuracy"], (2, 3, 3)).mean(axis=0)
    transfer = transfer_matrix(recognition).loc[["en", "fr", "sw"], ["en", "fr", "sw"]]
    assert np.allclose(accuracy - np.diagonal(accuracy), transfer, atol=5e-5)


def test_languages_follow_the_model_s_resource_order():
    recognition, consistency = results(("morality",), ("en", "fr", "sw"), layers=4)
    recognition["neutral_nats"] = (("source", "sentence"), [[2.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    data = model_data(recognition, consistency)
    assert data["order"] == [1, 0, 2] and "competence" in data["basis"]


def test_only_pairs_that_were_tested_count():
    recognition, consistency = results(("morality",), ("en", "sw"), layers=3, pairs=10)
    recognition["correct"].loc[{"protocol": "paper", "pair": slice(2, None)}] = np.nan
    assert model_data(recognition, consistency, "cv")["pairs"] == [10]
    assert model_data(recognition, consistency, "paper")["pairs"] == [2]


def test_four_models_of_full_size_stay_under_one_megabyte():
    found = {str(i): results(CONCEPTS, LANGUAGES, layers=30, seed=i) for i in range(4)}
    text = data_text([{name: both[i] for name, both in found.items()} for i in (0, 1)])
    assert len(json.loads(text)["models"]) == 4
    assert 700_000 < len(text.encode()) < 1_000_000


def test_the_chat_reading_stands_beside_the_raw_one():
    raw, chat = ([{"m": one} for one in results(("morality",), ("en", "sw"), layers=3, seed=seed)] for seed in (1, 2))
    chat[0]["m"].attrs["template"] = "chat"
    models = json.loads(data_text(raw, chat))["models"]
    assert [model["text"] for model in models] == ["raw text", "chat template"]
    assert models[0]["title"] == models[1]["title"] and models[0]["accuracy"] != models[1]["accuracy"]


def test_the_explorer_opens_on_the_strongest_triangle():
    recognition, consistency = results(("morality", "fairness", "tense"), ("en", "fr", "sw"), layers=3)
    recognition["accuracy"][:] = 0.5
    recognition["accuracy"].loc[{"concept": "fairness"}] = [[0.9, 0.7, 0.7], [0.5, 0.6, 0.5], [0.5, 0.5, 0.5]]
    assert json.loads(data_text([{"m": recognition}, {"m": consistency}]))["open"]["concept"] == "fairness"


def test_no_name_of_a_model_can_end_the_script_or_become_markup():
    recognition, consistency = results(("morality",), ("en", "sw"), layers=3)
    recognition.attrs["title"] = "</script><b>&"
    page = explorer([{"m": recognition}, {"m": consistency}]).data
    (text,) = re.findall(r'<script type="application/json" id="xlv-data">(.*?)</script>', page)
    assert json.loads(text)["models"][0]["title"] == "</script><b>&"
    assert "innerHTML" not in (ROOT / "book" / "_static" / "explorer.js").read_text(encoding="utf-8")


def test_the_script_reads_what_the_page_holds_and_asks_for_nothing():
    script = (ROOT / "book" / "_static" / "explorer.js").read_text(encoding="utf-8")
    page = explorer([{"m": dataset} for dataset in results(("morality",), ("en", "sw"), layers=3)]).data
    assert 'querySelector(".xlv-explorer")' in script and 'class="xlv-explorer"' in page
    assert 'getElementById("xlv-data")' in script and 'id="xlv-data"' in page
    assert not re.search(r"fetch\(|XMLHttpRequest|\bimport\b|https?://(?!www\.w3\.org/2000/svg)", script)


def test_the_script_and_its_style_are_part_of_every_edition():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    assert "explorer.css" in config["html_css_files"] and "explorer.js" in [name for name, _ in config["html_js_files"]]
    assert all((ROOT / "book" / "_static" / name).is_file() for name in ("explorer.css", "explorer.js"))

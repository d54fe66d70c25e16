"""Where results lie: found again whoever computed them, never another model's or another setting's."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from xlv.archive import place
from xlv.cache import cache_root, file_sha256
from xlv.results import ResultsError, load
from xlv.settings import Settings
from xlv.study import run_study

SETTINGS = Settings(concepts=("morality",), languages=("en", "fr"), pairs=8, neutral=2, dtype="fp32", baselines=False)


@pytest.fixture
def loads(monkeypatch) -> list:
    """The models that were loaded, one entry each time."""
    from xlv.models import load as loading

    seen, original = [], loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda *given, **how: seen.append(given[0]) or original(*given, **how))
    return seen


@pytest.fixture
def two(tiny_folder, tmp_path) -> tuple[str, str]:
    """Two models in folders of one name; the second has other weights."""
    shutil.copytree(tiny_folder, tmp_path / "a" / "checkpoint-500")
    shutil.copytree(tiny_folder, tmp_path / "b" / "checkpoint-500")
    weights = tmp_path / "b" / "checkpoint-500" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2:] = bytes(2)
    weights.write_bytes(content)
    return str(tmp_path / "a" / "checkpoint-500"), str(tmp_path / "b" / "checkpoint-500")


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_sha256(path) for path in folder.rglob("*.nc")}


def test_results_lie_under_label_and_key_and_are_computed_once_for_all_folders(tiny_folder, tmp_path, loads):
    model = str(tiny_folder)
    first = run_study(model, SETTINGS, tmp_path / "one")
    folder = tmp_path / "one" / "my-model" / "full-raw-fp32,pairs=8,neutral=2"
    assert place(model, SETTINGS, tmp_path / "one").parent == folder.parent
    for out in ("one", "two"):
        assert run_study(model, SETTINGS, tmp_path / out).identical(first)
        assert run_study(model, replace(SETTINGS, template="raw"), str(tmp_path / out)).identical(first)
    assert len(loads) == 1 and hashes(tmp_path / "one") == hashes(tmp_path / "two")
    shutil.rmtree(cache_root() / "results")
    assert run_study(model, SETTINGS, tmp_path / "one").identical(first)
    assert hashes(cache_root() / "results") == hashes(tmp_path / "one") and len(loads) == 1


def test_ten_other_settings_overwrite_nothing(tiny_folder, tmp_path, loads):
    run_study(str(tiny_folder), SETTINGS, tmp_path / "out")
    kept = hashes(tmp_path / "out")
    changes = [{"seed": 1}, {"pairs": 10}, {"dtype": "bf16"}, {"template": "chat"}, {"languages": ("fr", "en")}]
    changes += [{"languages": ("en", "sw")}, {"concepts": ("fairness",)}, {"neutral": 3}, {"template": "Say: {input}"}]
    changes += [{"concepts": ("morality", "fairness")}]
    for done, change in enumerate(changes, start=1):
        run_study(str(tiny_folder), replace(SETTINGS, **change), tmp_path / "out")
        found = hashes(tmp_path / "out")
        assert len(found) == 2 * (1 + done) and kept.items() <= found.items(), change
        kept = found
    assert len(loads) == 11


def test_results_of_another_model_of_the_name_are_neither_shown_nor_overwritten(two, tmp_path, loads):
    first, second = two
    mine = run_study(first, SETTINGS, tmp_path / "out")
    kept = hashes(tmp_path / "out")
    with pytest.raises(ResultsError, match=r"holds results of other weights: label this model, .* or say --overwrite$"):
        run_study(second, SETTINGS, tmp_path / "out")
    assert hashes(tmp_path / "out") == kept and len(loads) == 1
    other = run_study(f"new={second}", SETTINGS, tmp_path / "out")
    assert other.attrs["model"] == other.attrs["title"] == "new" and kept.items() <= hashes(tmp_path / "out").items()
    replaced = run_study(second, SETTINGS, tmp_path / "out", overwrite=True)
    assert replaced.attrs["weights"] == other.attrs["weights"] != mine.attrs["weights"]
    assert run_study(first, SETTINGS, tmp_path / "elsewhere").identical(mine)  # the store keeps what it had


def test_a_copy_of_a_model_is_the_model(two, tmp_path, loads):
    first, _ = two
    mine = run_study(first, SETTINGS, tmp_path / "out")
    shutil.copytree(first, tmp_path / "c" / "checkpoint-500", copy_function=shutil.copyfile)
    assert run_study(str(tmp_path / "c" / "checkpoint-500"), SETTINGS, tmp_path / "out").identical(mine)
    assert len(loads) == 1


@pytest.mark.parametrize("fault", ["flipped", "foreign", "another question"])
def test_a_file_that_is_no_result_of_ours_stays_and_is_not_accepted(tiny_folder, tmp_path, fault, loads):
    run_study(str(tiny_folder), SETTINGS, tmp_path / "out")
    path = place(str(tiny_folder), SETTINGS, tmp_path / "out") / "recognition.nc"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    other = path.with_name("consistency.nc").read_bytes()
    path.write_bytes({"flipped": bytes(content), "foreign": b"a letter", "another question": other}[fault])
    kept = file_sha256(path)
    with pytest.raises(ResultsError, match="recognition.nc .*or say --overwrite") as found:
        run_study(str(tiny_folder), SETTINGS, tmp_path / "out")
    assert "\n" not in str(found.value) and file_sha256(path) == kept and len(loads) == 1
    assert load(path.parent / "consistency.nc")
    run_study(str(tiny_folder), SETTINGS, tmp_path / "out", overwrite=True)
    assert load(path) is not None and len(loads) == 1  # from the store

"""One result for the terminal, papermill, notebooks, the book and the card: whoever asks first computes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import xlv
from xlv.cache import file_sha256
from xlv.edition import book
from xlv.edition.book import build_edition
from xlv.edition.notebook import open_results
from xlv.profiles import profile_of

SIZE = {"languages": "en,fr,sw", "concepts": "morality", "pairs": 8, "seed": 3, "dtype": "fp32", "template": "chat"}
OPTIONS = [part for name, value in SIZE.items() for part in (f"--{name}", str(value))]
PARAMETERS = [part for name, value in SIZE.items() for part in ("-p", name, str(value))]
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "q1_recognition.ipynb"


@pytest.fixture
def spoilt(tiny_folder):
    """Spoil a model's weights, but for their stamp: whoever computes with them fails. The same again: mend them."""
    path, kept = tiny_folder / "model.safetensors", []

    def spoil() -> None:
        kept.append(path.read_bytes())
        stamp = path.stat()
        path.write_bytes(kept[0] if len(kept) > 1 else b"\xff" * stamp.st_size)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    return spoil


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_sha256(path) for path in folder.rglob("*.nc")}


def page(model: str, out: Path) -> str:
    """What the page of question 1 shows, executed by papermill."""
    command = [sys.executable, "-m", "papermill", NOTEBOOK, out, "-p", "models", model, "-p", "profile", "quick"]
    done = subprocess.run([*command, *PARAMETERS], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.dumps([cell.get("outputs") for cell in json.loads(out.read_text(encoding="utf-8"))["cells"]])


def test_a_page_that_computes_keeps_no_warning_no_progress_and_no_path_of_the_machine(tiny_folder, tmp_path):
    shown = page(str(tiny_folder), tmp_path / "q1.ipynb")
    assert "my-model" in shown and "Not asked: it takes 16 situations" in shown
    for trace in ("Warning", "reading my-model", "questions 1 to 3", str(tmp_path), sys.prefix, str(NOTEBOOK.parent)):
        assert trace not in shown, trace


def test_what_one_command_computed_all_others_find(tiny_folder, tmp_path, spoilt, monkeypatch):
    out, model = tmp_path / "out", str(tiny_folder)
    first = xlv("run", model, *OPTIONS, "--profile", "quick", "--control", "--out", str(out))
    assert first.returncode == 0 and "reading" in first.stderr and "questions 1 to 3" in first.stderr, first.stderr
    kept = hashes(out)
    assert sorted(Path(name).name for name in kept) == ["consistency.nc", "control.nc", "recognition.nc"]
    spoilt()
    with pytest.raises(Exception, match="fetch or copy them again"):
        open_results(model, "recognition", profile="quick", **SIZE | {"seed": 4})
    page(model, tmp_path / "q1.ipynb")
    handed = []
    monkeypatch.setattr(book, "build_book", lambda parameters, *_a, **_k: handed.append(parameters) or tmp_path)
    build_edition([model], profile_of("quick", **SIZE), tmp_path / "build")
    given = {name: value for name, value in handed[0].items() if name != "models"}
    for question in ("recognition", "consistency", "control"):
        assert open_results(handed[0]["models"], question, **given)
    for command in ("run", "audit"):
        if command == "audit":  # which asks the weights whether there is a chat template
            spoilt()
        done = xlv(command, model, *OPTIONS, "--profile", "quick", "--out", str(tmp_path / command))
        assert done.returncode == 0 and "reading" not in done.stderr and "questions 1 to 3" not in done.stderr, (
            done.stderr
        )
        assert set(hashes(tmp_path / command).values()) <= set(kept.values())
    assert hashes(out) == kept and set(hashes(tmp_path / "build").values()) == set(kept.values())

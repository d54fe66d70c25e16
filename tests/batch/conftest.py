"""A repository of one short notebook, tiny models beside it, and specs of runs that take a few seconds each."""

import os
import signal
import subprocess
import sys

import nbformat
import pytest
import yaml

from tests.conftest import tiny_network

PARAMETERS = """models = "a"
data = ""
results = ""
profile = "full"
languages = ""
concepts = ""
pairs = 0
seed = 0"""
WORK = """import xlv
size = {"profile": profile, "languages": languages, "concepts": concepts, "pairs": pairs, "seed": seed}
found = xlv.open_results(models, "recognition", data=data, results=results, **size)"""
TOC = """format: jb-book
root: notebooks/q1_recognition
parts:
- caption: Prose
  chapters:
  - file: book/page
"""
LAUNCH = """import sys
import xlv.edition.book as book
book.__file__ = sys.argv.pop(1) + "/xlv/edition/book.py"
from xlv.cli import main
main()"""
IDLE = """import time
time.sleep(2)"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout with notebooks one of which, `q1_recognition`, computes results; it is the current folder."""
    root = tmp_path / "checkout"
    (root / "notebooks").mkdir(parents=True)
    (root / "book").mkdir()
    (root / "book" / "page.md").write_text("# A page")
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text("title: A book\nonly_build_toc_files: true\n")
    for name, source in (("q1_recognition", WORK), ("idle", IDLE), ("q4_control", IDLE)):
        cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
        cells.append(nbformat.v4.new_code_cell(source))
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
    monkeypatch.chdir(root)
    monkeypatch.setattr("xlv.edition.book.__file__", str(root / "xlv" / "edition" / "book.py"))
    return root


@pytest.fixture
def models(repository, tokenizer):
    """Folders of three tiny models, by name."""
    for name in ("llama", "gpt2", "bloom"):
        tiny_network(name).save_pretrained(repository / name)
        tokenizer.save_pretrained(repository / name)
    return ["llama", "gpt2", "bloom"]


@pytest.fixture
def spec(repository, models):
    """Write a spec of six runs, changed as asked: `spec(retries=1)`; returns its path."""

    def write(**changes):
        content = {
            "out": "out",
            "notebooks": ["q1_recognition"],
            "matrix": {"models": models, "seed": [0, 1]},
            "book": False,
            "parameters": {"profile": "quick", "languages": "en,sw", "concepts": "morality", "pairs": 8},
        }
        path = repository / "spec.yaml"
        path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
        return path

    return write


def _heed_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a suite in the background of a shell has them ignored


@pytest.fixture
def start(repository):
    """Start `xlv batch` with arguments as a process in a session of its own, which does not outlive the test."""
    started = []

    def begin(*arguments):
        command = [sys.executable, "-c", LAUNCH, str(repository), "batch", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes, start_new_session=True, preexec_fn=_heed_interrupts))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

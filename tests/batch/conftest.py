"""A repository of one short notebook, tiny models beside it, and specs of runs that take a few seconds each."""

import os
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
WORK = """from xlv.notebook import open_results
found = open_results(globals() | {"protocol": "cv"}, "recognition")"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout with the notebook `short`, which is the current folder."""
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(WORK),
    ], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})  # fmt: skip
    root = tmp_path / "checkout"
    (root / "notebooks").mkdir(parents=True)
    (root / "_toc.yml").write_text("format: jb-book\n")
    nbformat.write(notebook, root / "notebooks" / "short.ipynb")
    monkeypatch.chdir(root)
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
            "out": "out", "notebooks": ["short"], "matrix": {"models": models, "seed": [0, 1]}, "book": False,
            "parameters": {"profile": "quick", "languages": "en,sw", "concepts": "morality", "pairs": 8},
        }  # fmt: skip
        path = repository / "spec.yaml"
        path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
        return path

    return write


def start(*arguments):
    """`xlv batch` as a process of its own in the current folder, in a session of its own."""
    command = [sys.executable, "-m", "xlv.cli", "batch", *map(str, arguments)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )

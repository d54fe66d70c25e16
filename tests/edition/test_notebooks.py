"""The notebooks themselves: thin, clean, and such that a reader can play with them."""

import json
from io import BytesIO
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from tests.corpus.written import write
from xlv.report.drawing import NumberedFigure

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUESTIONS = [path for path in NOTEBOOKS if path.stem.startswith("q")]
name_of = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_of(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@name_of
def test_notebooks_are_thin_and_clean(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = code_of(path)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert ["parameters" in cell["metadata"].get("tags", []) for cell in code].count(True) == 1
    for cell in code:
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= 10 and not any(line.startswith(("def ", "class ")) for line in lines)
    prose = sum(len("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown")
    assert path.stem in ("home", "corpus", "models") or prose > sum(len("".join(c["source"])) for c in code)
    nbformat.validate(nbformat.read(path, as_version=4))


@name_of
def test_all_have_the_same_parameters_and_check_what_was_handed_over(path):
    assert papermill.inspect_notebook(path) == papermill.inspect_notebook(NOTEBOOKS[0])
    assert any("xlv.check_parameters()" in "".join(cell["source"]) for cell in code_of(path))


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda p: p.stem)
def test_a_question_shows_its_formula_in_code(path):
    shown = [cell for cell in code_of(path) if not cell["metadata"].get("tags")]
    assert shown and any("results_by_model.values()" in "".join(cell["source"]) for cell in shown)


def test_every_notebook_is_a_page_of_the_book():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    assert sorted(path.stem for path in NOTEBOOKS) == sorted(Path(f).name for f in files if f.startswith("notebooks/"))


@pytest.fixture(scope="module")
def shell():
    """One interpreter for all notebooks, which shows no pictures of its own accord."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    formatter = shell.display_formatter
    formatter.active_types = [kind for kind in formatter.format_types if kind != "image/svg+xml"]
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A folder of one concept in two languages: the built-in corpus takes minutes to check."""
    for code in ("en", "sw"):
        write(tmp_path / "corpus", code=code)
    return tmp_path / "corpus"


@name_of
def test_every_cell_runs_twice_in_a_row_and_with_a_reader_s_own_variable(path, shell, studied, corpus, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = {"models": "my-model", "results": str(studied), "profile": "stored"}
    given |= {"data": str(corpus)} if path.stem == "corpus" else {}
    shell.reset(new_session=True)
    for cell in parameterize_notebook(load_notebook_node(str(path)), given).cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source, store_history=True).raise_error()
            shell.run_cell("alpha = 0.3", store_history=True)
            done = shell.run_cell(cell.source, store_history=True)
            done.raise_error()
            if "mystnb" in cell.metadata:  # a numbered figure is the cell's one output
                assert isinstance(done.result, NumberedFigure)
                done.result.savefig(BytesIO(), format="svg")

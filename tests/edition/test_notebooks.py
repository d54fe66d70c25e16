"""The notebooks themselves: thin, clean, and such that a reader can play with them."""

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

import xlv
from tests.corpus.written import write
from tests.questions.conftest import made
from xlv.questions.claims.ledger import judged
from xlv.report.drawing import NumberedFigure, use_style

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
        most = 15 if "parameters" in cell["metadata"].get("tags", []) else 10
        assert len(lines) <= most and not any(line.startswith(("def ", "class ")) for line in lines)
    prose = sum(len("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown")
    written = [cell for cell in code if "parameters" not in cell["metadata"].get("tags", [])]
    assert path.stem in ("home", "corpus", "models") or prose > sum(len("".join(c["source"])) for c in written)
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


RUN = "document.title = 'ran'"
HOSTILE = {  # each has another way out of text
    "title": f"<script>{RUN}</script> $\\href{{javascript:{RUN}}}{{x}}$ {{raw}}`html` {{{{ author }}}} | **T**",
    "concept": f'<img src=x onerror="{RUN}"> $\\frac$ _c_',
    "code": f"</script><script>{RUN}</script>",
    "template": f'<svg onload="{RUN}"> {{input}}',
    "dtype": f"[d](javascript:{RUN})",
}
PAGES = [path for path in NOTEBOOKS if path.stem not in ("corpus", "performance", "worked")]


def shown(path: Path, shell, monkeypatch, languages, concepts=("morality", "tense"), **about) -> Iterator[dict]:
    """The outputs of a page on results of some languages, without question 4; a warning is an error."""
    about = {"dtype": "fp32", "template": "raw", "weights": "w", "corpus": "c", "xlv": "0"} | about
    results = {question: {"m": ds.assign_attrs(about)} for question, ds in made(languages, concepts).items()}
    results["control"] = {}
    ledger = judged(results["recognition"], results["consistency"], {})
    monkeypatch.setattr(xlv, "open_results", lambda _models, question, **_k: results[question], raising=False)
    monkeypatch.setattr(xlv, "open_ledger", lambda _models, **_k: ledger, raising=False)
    shell.reset(new_session=True)
    for cell in load_notebook_node(str(path)).cells:
        if cell.cell_type == "code":
            with warnings.catch_warnings(), redirect_stdout(StringIO()) as printed:
                warnings.simplefilter("error")
                use_style()
                done = shell.run_cell(cell.source)
                done.raise_error()
                if drawn := isinstance(done.result, NumberedFigure) and BytesIO():
                    done.result.savefig(drawn, format="svg")
            assert not re.search(r"\bnan\b", printed.getvalue())
            if drawn:
                yield {"image/svg+xml": "<p>" + drawn.getvalue().decode().split("?>", 1)[1]}
            if done.result is not None:
                yield shell.display_formatter.format(done.result)[0]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_page_on_one_language_runs_through_and_says_what_takes_two(path, shell, monkeypatch):
    found = [text for output in shown(path, shell, monkeypatch, ("fr",)) for text in output.values()]
    text = "\n".join(found)
    assert not re.search(r"\bnan\b", text.replace("NaN", ""))
    if path.stem in ("q2_consistency", "q3_transfer"):
        assert "Not asked: " in text and "in 2 languages at least" in text and "in 3 languages at least" in text
    if path.stem == "q4_control":
        assert "Question 4 was not asked" in text


MYST = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]["myst_enable_extensions"]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_names_from_outside_are_text_on_every_page(path, shell, monkeypatch):
    """Two languages, none of them English or dominant, and a concept that our font cannot draw, besides."""
    hostile = {name: HOSTILE[name] for name in ("title", "template", "dtype")}
    concepts = (HOSTILE["concept"], "\N{CJK UNIFIED IDEOGRAPH-52C7}\N{CJK UNIFIED IDEOGRAPH-6C17}")
    markdown, text = create_md_parser(MdParserConfig(enable_extensions=set(MYST)), RendererHTML), ""
    for output in shown(path, shell, monkeypatch, ("zh", HOSTILE["code"]), concepts, **hostile):
        said = (
            output.get("text/html") or output.get("image/svg+xml") or markdown.render(output.get("text/markdown", ""))
        )
        page = BeautifulSoup(said, "html.parser")
        for data in page.find_all("script", type="application/json"):
            text += json.dumps(json.loads(data.extract().string), ensure_ascii=False).replace("\\\\", "\\")
        assert not page.find_all(["script", "img"]) and not page.find_all(href=re.compile("javascript:"))
        assert not [tag for tag in page.find_all() if any(name.startswith("on") for name in tag.attrs)]
        text += page.get_text()
    assert path.stem == "q4_control" or HOSTILE["title"].split(" | ")[0] in " ".join(text.split())

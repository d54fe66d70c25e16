import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.cli.command import xlv
from tests.edition.conftest import PROFILE
from tests.gguf_file import write_gguf
from xlv.archive import place
from xlv.edition import book
from xlv.edition.book import BookError, audit_model, build_book, execute_notebooks
from xlv.profiles import profile_of
from xlv.questions.claims.ledger import CLAIMS
from xlv.questions.claims.verdicts import OF_TWO
from xlv.report.card import card
from xlv.results import load

PARAMETERS = 'models = "a"  # names\npairs = 0'


def write_notebook(root, name: str, *cells: str) -> None:
    (root / "notebooks").mkdir(exist_ok=True)
    code = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        *map(nbformat.v4.new_code_cell, cells),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel})
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")


def test_notebooks_are_executed_without_a_trace_of_the_machine_and_a_failure_is_named(tmp_path):
    write_notebook(tmp_path, "sound", "print(models, pairs)")
    write_notebook(tmp_path, "broken", "print('as far as here')", "1 / 0")
    seen = []
    given = {"models": "/somewhere/else", "pairs": 8}
    with pytest.raises(BookError, match="notebook broken failed: ZeroDivisionError: division by zero .*broken.ipynb"):
        execute_notebooks(
            ["sound", "broken"], given, tmp_path / "out", root=tmp_path, progress=lambda *step: seen.append(step[1:])
        )
    sound = nbformat.read(tmp_path / "out" / "sound.ipynb", as_version=4)
    assert [cell.source for cell in sound.cells] == [PARAMETERS, "print(models, pairs)"]
    assert sound.cells[1].outputs[0].text == "/somewhere/else 8\n" and "papermill" not in sound.metadata
    assert "as far as here" in (tmp_path / "out" / "broken.ipynb").read_text(encoding="utf-8")
    assert seen == [(0, 2), (1, 2)]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of two pages, in which notebooks are not executed and Jupyter Book is not called."""
    root = tmp_path / "checkout"
    (root / "notebooks").mkdir(parents=True)
    (root / "book" / "results").mkdir(parents=True)
    (root / "book" / "method.md").write_text("# Method\n", encoding="utf-8")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: notebooks/home\nparts:\n  - chapters:\n      - file: book/method\n"
        "      - file: notebooks/q1\n"
    )
    (root / "_config.yml").write_text("title: A book\nexecute: {execute_notebooks: force}\n")
    monkeypatch.setattr(book, "repository", lambda: root)
    executed = []
    monkeypatch.setattr(book, "execute_notebooks", lambda names, *_a, **_k: executed.extend(names))
    return executed


def built(monkeypatch, folder, *, index: bool = True, status: int = 0) -> None:
    """Let Jupyter Book do nothing but write an index."""

    def run(command, **_options):
        page = folder / "_build" / "html" / "index.html"
        if index:
            page.parent.mkdir(parents=True)
            page.write_text("")
        return type("Done", (), {"stdout": "what it said", "returncode": status})

    monkeypatch.setattr(book.subprocess, "run", run)


def test_a_book_is_the_notebooks_of_its_contents_the_prose_and_further_pages(checkout, tmp_path, monkeypatch):
    folder = tmp_path / "edition"
    folder.mkdir()
    built(monkeypatch, folder)
    index = build_book({"models": "a"}, folder, "Edition “tiny”.", {"runs": "# The runs\n"})
    assert index == folder / "_build" / "html" / "index.html" and checkout == ["home", "q1"]
    contents, config = (yaml.safe_load((folder / "source" / f"{n}.yml").read_text()) for n in ("_toc", "_config"))
    assert [c["file"] for c in contents["parts"][0]["chapters"]] == ["book/method", "notebooks/q1", "book/runs"]
    assert config["execute"] == {"execute_notebooks": "off"} and "Edition “tiny”. xlv" in config["html"]["announcement"]
    assert (folder / "source" / "book" / "runs.md").read_text() == "# The runs\n"
    assert (folder / "source" / "book" / "method.md").is_file() and not (
        folder / "source" / "book" / "results"
    ).exists()


@pytest.mark.parametrize("failure", [{"index": False}, {"status": 1}])
def test_a_book_that_could_not_be_built_says_where_the_log_is(checkout, tmp_path, monkeypatch, failure):
    (tmp_path / "edition").mkdir()
    built(monkeypatch, tmp_path / "edition", **failure)
    with pytest.raises(BookError, match="(?s)jupyter-book.log:\nwhat it said"):
        build_book({}, tmp_path / "edition", "")
    assert (tmp_path / "edition" / "jupyter-book.log").read_text() == "what it said"


def another_book(folder) -> None:
    (folder / "notebooks").mkdir(parents=True)
    for name in ("_toc.yml", "notebooks/q1_recognition.ipynb"):
        (folder / name).touch()


def test_inside_another_book_the_notebooks_are_xlv_s_own(tmp_path, monkeypatch):
    another_book(tmp_path / "theirs")
    monkeypatch.chdir(tmp_path / "theirs")
    assert book.repository() == Path(book.__file__).parents[2]


def test_installed_without_notebooks_a_book_is_refused_before_anything_is_computed(tiny_folder, tmp_path):
    shutil.copytree(Path(book.__file__).parents[1], tmp_path / "site" / "xlv")
    (tmp_path / "away").mkdir()
    command = [sys.executable, "-m", "xlv.cli", "book", "--models", tiny_folder, "--out", "out"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(command, cwd=tmp_path / "away", env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "run this in a checkout of xlv's repository" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not list((tmp_path / "away").iterdir())


def test_a_model_and_a_corpus_are_found_from_where_a_book_was_asked_for(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_folder.parent)
    handed, read = [], []
    monkeypatch.setattr(book, "build_book", lambda parameters, *_a, **_k: handed.append(parameters))
    for name in ("run_study", "run_control"):
        monkeypatch.setattr(book, name, lambda model, *_a, **_k: read.append(model))
    for name in ("pairs_of", "check_control"):
        monkeypatch.setattr(book, name, lambda _settings: None)
    for judge in ("rules", "chat:other"):
        book.build_edition([tiny_folder.name], profile_of("quick", data=".", judge=judge), tmp_path / "build")
    assert [one["judge"] for one in handed] == ["rules", "chat:other"] and handed[0]["results"] != handed[1]["results"]
    assert read[:2] == [str(tiny_folder)] * 2 == [handed[0]["models"]] * 2
    assert handed[0]["data"] == str(tiny_folder.parent.resolve())


PLAIN = ("meta", "br", "img")


class Page(HTMLParser):
    """Reads a page: its text, its headings, what it refers to, and whether every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.text, self.open, self.references, self.names = "", [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in PLAIN:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.names.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_an_audit_of_a_folder_never_seen_gives_a_card_complete_in_itself(tiny_folder, tmp_path, monkeypatch):
    path = audit_model(str(tiny_folder), PROFILE, tmp_path / "audit")
    assert path == place(str(tiny_folder), PROFILE.study, tmp_path / "audit") / "card.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == [] and "svg" in page.names and "script" not in page.names
    assert all(reference.startswith(("#", "data:image/")) for reference in page.references)
    assert all(words["says"] in page.text for claim, words in CLAIMS.items() if claim not in OF_TWO)
    recognition = load(path.with_name("recognition.nc"))
    assert recognition.attrs["weights"] in page.text and "Swahili (sw)" in page.text
    assert "The weakest languages for refusal" in page.text and "was not asked" not in page.text
    assert not re.search(r"\bnan\b", page.text)
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded again"))
    audit_model(str(tiny_folder), PROFILE, tmp_path / "audit")


@pytest.fixture
def tiny_gguf(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny-base.gguf", model.network, model.tokenizer)
    return tmp_path / "tiny-base.gguf"


def test_an_audit_of_a_gguf_path_without_chat_template_names_the_question_it_skips(tiny_gguf, tmp_path):
    done = xlv(
        "audit",
        str(tiny_gguf),
        "--languages",
        "en,fr,sw",
        "--concepts",
        "morality",
        "--pairs",
        "8",
        "--out",
        str(tmp_path / "audit"),
    )
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "audit" / "tiny-base").glob("quick-raw-bf16,*/card.html")
    assert f"The card: {path}" in done.stdout
    text = Page(path.read_text(encoding="utf-8")).text
    assert "Question 4 was not asked: tiny-base has no chat template" in text
    assert "8a. " in text and "not asked: question 4 was not put to this model" in text
    assert not list((tmp_path / "audit").rglob("control.nc"))


def test_names_from_outside_are_escaped_on_the_card(studied):
    found = [load(studied / "my-model" / f"{q}.nc") for q in ("recognition", "consistency", "control")]
    for dataset in found:
        dataset.attrs |= {"title": "<script>alert(1)</script> [a](javascript:b)", "weights": "<b>"}
    text = card(*found)
    assert "<script" not in text and "<b>" not in text and 'href="javascript' not in text


def test_what_cannot_be_audited_ends_in_one_line():
    done = xlv("audit", "no-such-model")
    assert done.returncode == 2 and "unknown model 'no-such-model'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""The book's assembly: notebooks executed with parameters that they know, pages and banner in their place."""

import nbformat
import pytest
import yaml

from xlv.edition import book
from xlv.edition.book import BookError, build_book, execute_notebooks, refuse_unknown

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


def test_a_parameter_that_a_notebook_lacks_is_refused_before_anything_runs(tmp_path):
    write_notebook(tmp_path, "first", "open('ran', 'w').close()")
    write_notebook(tmp_path, "second")
    with pytest.raises(ValueError, match="unknown parameter 'pair': this notebook has models, pairs"):
        execute_notebooks(["first", "second"], {"models": "b", "pair": 8}, tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()


def test_known_parameters_pass():
    refuse_unknown(["pairs"], {"models": "a", "pairs": 0})


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
    monkeypatch.chdir(root)
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

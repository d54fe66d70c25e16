"""Checks of a built book, run by `.ci/run` on the one it has just built: pytest tests/book_pages.py --book FOLDER."""

import json
import re
from base64 import b64decode
from io import StringIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from xlv import __version__

ROOT = Path(__file__).resolve().parents[1]
FIGURES = {
    path.stem: [
        cell["metadata"]["mystnb"]["figure"]["name"]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if "mystnb" in cell["metadata"]
    ]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
WITHOUT_NUMBERS = {"fig-growth"}  # tables of the page on performance
CONTENTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [chapter["file"] for part in CONTENTS["parts"] for chapter in part["chapters"]]


@pytest.fixture
def book(request) -> Path:
    folder = request.config.getoption("--book")
    if folder is None:
        pytest.skip("no book given: --book FOLDER")
    return Path(folder)


def test_there_is_an_index_that_leads_to_the_home_page(book):
    assert "notebooks/home.html" in (book / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIGURES)
def test_every_page_has_its_figures_and_no_error(book, name):
    page = (book / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    for figure in FIGURES[name]:
        part = page[page.index(f'id="{figure}"') :]
        source = re.search(
            r'<img alt="([^"]{20,})"[^>]* src="([^"]+)"|<img [^>]*src="([^"]+)"[^>]* alt="([^"]{20,})"', part
        )
        assert source, f"{figure} has no image with an alternative text"
        image = book / "notebooks" / (source.group(2) or source.group(3))
        drawn = image.read_text(encoding="utf-8") if image.suffix == ".svg" else ""
        assert image.resolve().stat().st_size > 2000 or "nothing to draw: it takes" in drawn
    for fault in ("Traceback", "NaN%", "nan %", "Warning:"):
        assert fault not in page


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_results_offers_its_numbers(book, name):
    page = BeautifulSoup((book / "notebooks" / f"{name}.html").read_bytes(), "html.parser")
    for figure in set(FIGURES[name]) - WITHOUT_NUMBERS:
        numbers = page.find(id=figure).find_next_sibling("p", class_="numbers")
        image = book / "notebooks" / page.find(id=figure).img["src"]
        if numbers is None and "nothing to draw: it takes" in image.read_text(encoding="utf-8"):
            continue  # too few languages for this one
        link = numbers.a
        assert link["download"] == f"{figure.removeprefix('fig-')}.csv"
        table = pd.read_csv(StringIO(b64decode(link["href"].split("base64,")[1]).decode()))
        assert table.columns[0] == "model" and len(table)


@pytest.mark.parametrize("name", ["q1_recognition", "q2_consistency", "q3_transfer", "q4_control"])
def test_every_question_shows_its_formula_in_code_and_what_comes_of_it(book, name):
    page = BeautifulSoup((book / "notebooks" / f"{name}.html").read_bytes(), "html.parser")
    shown = [cell for cell in page.select("div.cell") if cell.select("div.cell_input") and not cell.find("details")]
    formulas = [cell for cell in shown if "results_by_model.values()" in cell.get_text()]
    assert formulas and formulas[0].select_one("div.cell_output").get_text().strip()


def test_the_explorer_has_its_data_and_its_script(book):
    page = (book / "notebooks" / "explorer.html").read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="xlv-data">(.*?)</script>', page)
    assert json.loads(data.group(1))["models"] and len(page.encode()) < 3_000_000
    script = re.search(r'<script [^>]*src="(\.\./_static/explorer\.js)', page)
    assert (book / "notebooks" / script.group(1)).resolve().is_file()


@pytest.mark.parametrize("name", [chapter for chapter in CHAPTERS if chapter.startswith("book/")])
def test_the_prose_is_there(book, name):
    assert len((book / f"{name}.html").read_text(encoding="utf-8")) > 5000


def test_pages_say_their_edition_version_and_date_and_ask_no_other_host(book):
    pages = [*(book / "notebooks").glob("*.html"), *(book / "book").glob("*.html")]
    assert len(pages) == len(CHAPTERS) + 1
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "Edition “quick”" in text or "Reference edition" in text
        assert re.search(r"Last updated on \d{4}-\d\d-\d\d", text) and f"xlv {__version__}" in text
        assert not re.search(r'<(script|link|img)[^>]*(src|href)="https?://', text), page
        assert "/build/ci" not in text


def test_every_link_within_the_book_leads_somewhere(book):
    pages = {path.resolve(): BeautifulSoup(path.read_bytes(), "html.parser") for path in book.glob("**/*.html")}
    names = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{link['href']} in {path.name}"
            assert not parts.fragment or unquote(parts.fragment) in names[target], f"{link['href']} in {path.name}"

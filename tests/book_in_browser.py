"""A built book as its readers' browser sees it: pytest tests/book_in_browser.py --book FOLDER (`make quality`).

Each page is opened from disk on a phone and on a desktop, and looked at in light and in dark.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
import yaml

from tests.browser import DESKTOP, PHONE, browser, chromium, pages
from tests.edition.test_notebooks import HOSTILE, ROOT, RUN, shell, shown
from xlv.batch import conduct
from xlv.edition import book as edition
from xlv.report import tables
from xlv.report.drawing import use_style

__all__ = ["shell"]

PATIENCE = 120_000  # milliseconds, for machines that are busy with a model
HEAVIEST = 2_000_000  # bytes of a page besides what all pages share; the explorer holds the results of all models
MEASURE = """() => ({
    width: document.documentElement.scrollWidth,
    images: [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src),
    silent: [...document.images].filter(image => !image.alt.trim()).map(image => image.src),
})"""
AXE = """() => axe.run(document, {preload: false, resultTypes: ["violations"]}).then(({violations}) => violations
    .filter(({impact}) => impact == "serious" || impact == "critical")
    .map(({id, nodes}) => [id, nodes.map(({target}) => target.join(" "))]))"""


@dataclass
class Visit:
    """What was seen on a page; lists of complaints name the look (width, scheme) where that matters."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def _look(page, width: int, scheme: str, visit: Visit) -> None:
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
    seen = page.evaluate(MEASURE)
    if seen["width"] > width:
        visit.overflow.append(f"{seen['width']} pixels wide at {width}")
    visit.missing, visit.silent = seen["images"], seen["silent"]
    for rule, targets in page.evaluate(AXE):
        visit.violations.append(f"{rule} at {width}, {scheme}: {len(targets)} × {targets[:3]}")


def _visit(running, address: str, axe: str) -> Visit:
    found = Visit()
    for width in (DESKTOP, PHONE):
        page = running.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda sent: found.requests.append(sent.url))
        page.on("requestfailed", lambda failed: found.errors.append(f"failed: {failed.url}"))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
        page.goto(address, wait_until="load")
        page.evaluate(axe)
        for scheme in ("light", "dark"):
            _look(page, width, scheme, found)
        page.close()
    return found


@pytest.fixture(scope="session")
def running():
    """One browser for all tests: Playwright has one at a time."""
    pytest.importorskip("playwright")
    with browser() as found:
        yield found


@pytest.fixture(scope="session")
def visit(request, running):
    """What is seen on a page, by its path in the book; a page is visited once for all tests."""
    from axe_playwright_python.base import AXE_SCRIPT

    book = Path(request.config.getoption("--book")).resolve()
    return cache(lambda name: _visit(running, (book / name).as_uri(), AXE_SCRIPT))


def pytest_generate_tests(metafunc):
    """A test a page; without a book or a browser one test that is skipped and says why."""
    if "name" not in metafunc.fixturenames:
        return
    book = metafunc.config.getoption("--book")
    why = "no book given: --book FOLDER" if book is None else "no Chromium on this machine" if not chromium() else None
    names = pages(Path(book)) if why is None else [pytest.param("", marks=pytest.mark.skip(reason=why))]
    metafunc.parametrize("name", names)


def test_a_page_asks_no_other_host(visit, name):
    assert [url for url in visit(name).requests if urlsplit(url).scheme not in ("file", "data", "blob")] == []


def test_a_page_has_no_error_in_the_console(visit, name):
    assert visit(name).errors == []


def test_a_page_is_no_wider_than_the_screen(visit, name):
    assert visit(name).overflow == []


def test_images_are_there_and_say_what_they_show(visit, name):
    assert (visit(name).missing, visit(name).silent) == ([], [])


def test_axe_finds_no_serious_fault(visit, name):
    assert visit(name).violations == []


def test_a_page_is_light(visit, name):
    own = {Path(unquote(urlsplit(url).path)) for url in visit(name).requests if url.startswith("file:")}
    weight = sum(path.stat().st_size for path in own if "_static" not in path.parts and path.name != "searchindex.js")
    assert weight < (3_000_000 if name.endswith("explorer.html") else HEAVIEST)


MORE = {  # beside those of the other pages
    "text": f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe> $$\\href{{javascript:{RUN}}}{{x}}$$",
    "group": f'<details open ontoggle="{RUN}">g</details>',
    "description": f'<a href="javascript:{RUN}">d</a> \\(\\href{{javascript:{RUN}}}{{y}}\\)',
    "error": f"E: <script>{RUN}</script> `{{raw}}` {{{{ author }}}} $x$ ![i](x.png)",
    "edition": f'<img src=x onerror="{RUN}">',
}


def hostile_book(folder: Path, shell, monkeypatch) -> Path:
    """A book of a batch with every text from outside hostile, its pages those of several notebooks in one."""
    code, concept, text = (HOSTILE["code"], HOSTILE["concept"], MORE["text"])
    about = {name: HOSTILE[name] for name in ("title", "template", "dtype")}
    given = {"concept": concept, "language": "en", "pair": 1, "context": "", "negative": MORE["description"]}
    cells = [nbformat.v4.new_markdown_cell("# Home"), nbformat.v4.new_code_cell("0")]
    use_style()
    corpus = pd.DataFrame([given | {"positive": text, "group": MORE["group"]}])
    found = [{"text/html": tables.example_table(corpus)._repr_html_()}, {"text/html": corpus._repr_html_()}]
    for name in ("home", "claims", "models", "explorer"):
        found += shown(ROOT / "notebooks" / f"{name}.ipynb", shell, monkeypatch, ("zh", code), (concept, "x"), **about)
    for data in found:
        outputs = [nbformat.v4.new_output("execute_result", data=data, execution_count=1)]
        cells.append(nbformat.v4.new_code_cell("0", outputs=outputs, execution_count=1))

    def written(_names, _given, target, **_how) -> None:
        target.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), target / "home.ipynb")

    root = folder / "root"
    root.mkdir()
    contents = {"format": "jb-book", "root": "notebooks/home", "parts": [{"chapters": [{"file": "book/glossary"}]}]}
    (root / "_toc.yml").write_text(yaml.safe_dump(contents), encoding="utf-8")
    for name in ("_config.yml", "book"):
        (root / name).symlink_to(ROOT / name)
    monkeypatch.setattr(edition, "repository", lambda: root)
    monkeypatch.setattr(edition, "execute_notebooks", written)
    run = SimpleNamespace(
        name="done", model="m", variant="", parameters={}, folder=folder / "none", record=lambda: True
    )
    failed = SimpleNamespace(**vars(run) | {"name": "failed", "record": lambda: None})
    spec = SimpleNamespace(out=folder / MORE["edition"])
    return conduct.build_batch_book(spec, [run, failed], {"failed": MORE["error"]}).parent


@pytest.mark.skipif(not chromium(), reason="no Chromium on this machine")
def test_names_texts_and_errors_from_outside_are_shown_as_text_and_run_nothing(tmp_path, shell, monkeypatch, running):
    formats = shell.display_formatter.active_types
    shell.display_formatter.active_types = [*formats, "image/svg+xml"]
    html, said, dialogs = hostile_book(tmp_path, shell, monkeypatch), "", []
    for name in ("notebooks/home.html", "book/batch-runs.html"):
        page = running.new_page()
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto((html / name).as_uri(), wait_until="load")
        page.wait_for_timeout(2000)  # for what runs late
        assert page.title() != "ran"
        assert page.locator("[href^='javascript:'], a[*|href^='javascript:'], iframe, details[ontoggle]").count() == 0
        said += " ".join(page.evaluate("document.body.textContent").split())
        drawn = page.locator("img[src$='.svg']").count()
        assert drawn or "batch" in name
    for text in (*HOSTILE.values(), *MORE.values()):
        assert " ".join(text.replace("`", "'" if text == MORE["error"] else "`").split()) in said
    assert dialogs == []

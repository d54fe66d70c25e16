"""A built book as its readers' browser sees it: pytest tests/book_in_browser.py --book FOLDER (`make quality`).

Each page is opened from disk on a phone and on a desktop, and looked at in light and in dark.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import DESKTOP, PHONE, browser, chromium, pages

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
def visit(request):
    """What is seen on a page, by its path in the book; a page is visited once for all tests."""
    from axe_playwright_python.base import AXE_SCRIPT

    book = Path(request.config.getoption("--book")).resolve()
    with browser() as running:
        yield cache(lambda name: _visit(running, (book / name).as_uri(), AXE_SCRIPT))


def pytest_generate_tests(metafunc):
    """A test a page; without a book or a browser one test that is skipped and says why."""
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

"""A headless Chromium that opens pages of a built book from disk: for book_in_browser.py and screenshots.py."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PHONE, DESKTOP = 390, 1280  # pixels


def chromium() -> str | None:
    """The machine's own Chromium: the variable CHROMIUM, or the first of the usual names on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator:
    """Playwright's handle of a running Chromium; nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def pages(book: Path) -> list[str]:
    """Every page of a built book, as a path relative to it, but for the index, which leads to the home page at once."""
    found = (page.relative_to(book) for page in book.rglob("*.html"))
    return sorted(str(page) for page in found if "_static" not in page.parts and page != Path("index.html"))

"""The README's pictures of a built book, small PNGs: python -m tests.screenshots BOOK FOLDER (`make screenshots`)."""

import io
import sys
from pathlib import Path

from PIL import Image

from tests.browser import DESKTOP, browser

PICTURES = {  # a page, and what of it is shown: nothing for what a desktop's screen shows
    "home": ("notebooks/home.html", ""),
    "transfer": ("notebooks/q3_transfer.html", "#fig-transfer img"),
    "explorer": ("notebooks/explorer.html", ".xlv-explorer"),
}
COLOURS, HEAVIEST = 64, 200_000


def picture(page, shown: str) -> bytes:
    """A PNG of the page's screen, or of the element `shown`, in few colours."""
    raw = page.locator(shown).first.screenshot() if shown else page.screenshot()
    few = Image.open(io.BytesIO(raw)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    few.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def main(book: Path, folder: Path) -> None:
    """Write a picture each; raises ValueError for one of 200 kB or more."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as running:
        page = running.new_page(viewport={"width": DESKTOP, "height": 900}, color_scheme="light")
        for name, (path, shown) in PICTURES.items():
            page.goto((book.resolve() / path).as_uri(), wait_until="load", timeout=120_000)
            data = picture(page, shown)
            if len(data) >= HEAVIEST:
                raise ValueError(f"{name}.png: expected under {HEAVIEST} bytes, got {len(data)}: show less of the page")
            (folder / f"{name}.png").write_bytes(data)
            print(f"{folder / name}.png: {len(data) // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

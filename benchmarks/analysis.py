"""Analysis: questions 1 to 3 of a whole model, and of the largest model of the paper from activations on disk."""

import shutil
import tempfile

from benchmarks.contenders import ROOT, Contender
from benchmarks.extraction import Say
from benchmarks.protocol import Worker

ENGINE = Contender("analysis", "engine")
LONG = 3600


def timed(
    title: str,
    *,
    layers: int,
    width: int,
    concepts: int,
    languages: int,
    pairs: int,
    resamples: int,
    threads: int,
    say: Say,
) -> dict:
    """Seconds and peak memory of the analysis on synthetic activations of a shape; they are deleted afterwards."""
    shape = {"layers": layers, "concepts": concepts, "languages": languages, "pairs": pairs}
    needed = concepts * languages * 2 * pairs * layers * width * 2
    (ROOT / "build").mkdir(exist_ok=True)
    free = shutil.disk_usage(ROOT / "build").free
    if free < needed * 1.2:
        raise RuntimeError(f"{title}: expected {needed / 1e9:.1f} GB of free disk and some more, got {free / 1e9:.1f}")
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
        with Worker(ENGINE, threads) as worker:
            options = {"folder": folder, "width": width, **shape}
            written = worker.ask("call", timeout=LONG, name="write", options=options)
        say(f"  {title}: {written['bytes'] / 1e9:.1f} GB of synthetic activations written")
        with Worker(ENGINE, threads) as worker:  # a new process, so that its memory is that of the analysis alone
            options = {"folder": folder, "resamples": resamples, **shape}
            found = worker.ask("call", timeout=LONG, name="analyse", options=options)
    say(f"  {title}: {found['seconds']:.1f} s" + (f", {found['peak'] / 1e9:.1f} GB" if found["peak"] else ""))
    return {
        "title": title,
        **shape,
        "width": width,
        "resamples": resamples,
        "disk_bytes": written["bytes"],
        "seconds": found["seconds"],
        "peak_bytes": found["peak"],
        "accuracy": found["accuracy"],
    }

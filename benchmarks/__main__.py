"""`make bench`: every comparison in one run, printed as tables and written to one JSON file.

A run that was stopped goes on where it was, as long as its sizes, the machine and the commit are the same.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import analysis, extraction, generation
from benchmarks.contenders import READING_PEERS, ROOT, install, present
from benchmarks.record import Record, machine
from benchmarks.tables import FILE, printed
from benchmarks.workload import reading, shared_folder, texts_by_language

MODELS = ("smollm2-135m", "gemma-3-270m")
GENERATOR = "qwen2.5-coder-0.5b"
PARTS = ("extraction", "growth", "generation", "analysis", "large")


def say(text: str) -> None:
    print(text, flush=True)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The sizes of a run; the defaults are those of the book's page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--install-peers", action="store_true", help="install the peers into build/peers, and stop")
    parser.add_argument("--pairs", type=int, default=24, help="pairs per language; each is two texts")
    parser.add_argument("--languages", default="en,zh,sw", help="codes separated by commas")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved rounds, of which the median is taken")
    parser.add_argument("--models", default=",".join(MODELS), help="models that are read")
    parser.add_argument("--dtypes", default="fp32,bf16")
    parser.add_argument("--generation-dtypes", default="fp32", help="bf16 gains nothing at batches this small")
    parser.add_argument("--prompts", type=int, default=16, help="prompts of the generation's one batch")
    parser.add_argument("--tokens", type=int, default=32, help="tokens generated per prompt")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of " + ", ".join(PARTS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "book" / "results" / FILE)
    found = parser.parse_args(given)
    unknown = set(found.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {min(unknown)!r}: choose from {', '.join(PARTS)}")
    return found


def plan(asked: argparse.Namespace) -> list[tuple[str, Callable[[], dict]]]:
    """The sections of a run by name, in order, each as what measures it."""
    languages, models, dtypes = (text.split(",") for text in (asked.languages, asked.models, asked.dtypes))
    common = {"repeats": asked.repeats, "threads": asked.threads, "say": say}

    def read(model: str, dtype: str) -> dict:
        work = reading(shared_folder(model), texts_by_language(languages, asked.pairs))
        return extraction.compare(model, dtype, work, **common)

    def analysed(part: str) -> list[tuple[str, Callable[[], dict]]]:
        return [(analysis.SHAPES[part][0], lambda: analysis.timed(part, threads=asked.threads, say=say))]

    sections = {
        "extraction": [(f"{m} {d}", lambda m=m, d=d: read(m, d)) for m in models for d in dtypes],
        "growth": [
            (m, lambda m=m: extraction.growth(m, dtypes[-1], languages=languages, pairs=asked.pairs, **common))
            for m in models
        ],
        "generation": [
            (d, lambda d=d: generation.compare(GENERATOR, d, prompts=asked.prompts, tokens=asked.tokens, **common))
            for d in asked.generation_dtypes.split(",")
        ],
        "analysis": analysed("analysis"),
        "large": analysed("large"),
    }
    return [(f"{part}: {name}", run) for part in asked.parts.split(",") for name, run in sections[part]]


def main() -> None:
    asked = arguments()
    if asked.install_peers:
        raise SystemExit(0 if all([install(peer, say) for peer in READING_PEERS]) else 1)
    missing = present(READING_PEERS)[1]
    if missing:
        say(f"not installed, so left out: {', '.join(missing)} (`make bench-peers` installs them)")
    settings = {k: v for k, v in vars(asked).items() if k not in ("out", "install_peers", "threads")}
    record = Record(ROOT / "build" / "bench" / FILE, machine(asked.threads), settings)
    start, failed = time.monotonic(), []
    for name, measure in plan(asked):
        if name in record:
            say(f"{name}: measured before")
            continue
        say(f"{name} ({(time.monotonic() - start) / 60:.0f} min so far)")
        try:
            record.add(name, measure())
        except (RuntimeError, OSError) as error:  # one comparison that cannot be made does not stop the others
            failed.append(name)
            say(f"  failed: {error}")
    say("\n" + printed(record.data))
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}; the same command goes on from here")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    record.path.replace(asked.out)
    say(f"written to {os.path.relpath(asked.out)}")


if __name__ == "__main__":
    main()

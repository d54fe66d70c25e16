"""Analysis: questions 1 to 3 of a whole model, and of the largest model of the paper."""

from benchmarks.contenders import Contender
from benchmarks.extraction import Say
from benchmarks.protocol import Worker

ENGINE = Contender("analysis", "engine")
LONG = 3600
PAIRS = {"languages": 16, "pairs": 192}
SHAPES = {
    "analysis": ("Qwen2.5-Coder 1.5B's shape", {"layers": 28, "width": 1536, "concepts": 7} | PAIRS),
    "large": ("LLaMA 2 70B's shape", {"layers": 80, "width": 8192, "concepts": 1} | PAIRS),
}


def timed(part: str, *, threads: int, say: Say) -> dict:
    """Seconds and peak memory of the analysis on planted states of one of SHAPES, made layer by layer."""
    title, shape = SHAPES[part]
    with Worker(ENGINE, threads) as worker:
        found = worker.ask("call", timeout=LONG, name="analyse", options=shape)
    say(f"  {title}: {found['seconds']:.1f} s" + (f", {found['peak'] / 1e9:.1f} GB" if found["peak"] else ""))
    return {
        "title": title,
        **shape,
        "seconds": found["seconds"],
        "peak_bytes": found["peak"],
        "accuracy": found["accuracy"],
    }

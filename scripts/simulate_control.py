"""How often the rules of claim 8 are wrong, and what they find: simulated completions of the real shape.

    python scripts/simulate_control.py --runs 400 --out book/results/simulation_control.json

Each run draws refusals of harmful and harmless instructions in some languages. What disposes a prompt to be refused is
partly the instruction's, in every language, partly shared by the harmful and the harmless one of an id, partly the
prompt's under every condition, and partly by chance; a gate opens by a reading of harm that an instruction's languages
share. A rule is tried where it draws its line, where a verdict other than undecided is wrong, and at effects that it
should find: those recombined from old outcomes, on the larger Qwen and the smaller one, among them.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from xlv.cache import whole_file
from xlv.questions.claims import control as rules
from xlv.questions.claims.verdicts import FAILS, HOLDS, MOVED, UNDECIDED, WORSE

SHAPES = ((80, 11), (80, 1), (40, 5), (40, 1), (16, 2))  # prompts, languages; the last as in profile quick
RATES = {"low": 0.05, "middle": 0.4, "high": 0.85, "mixed": None}  # of refusals; mixed: .05 to .85 over languages
BY_ID, BY_PAIR, BY_PROMPT = 0.3, 0.1, 0.3  # shares of a disposition's variance; the rest is chance
VECTORS = 2  # random ones


class Case(NamedTuple):
    """Changes of refusal rates, from the base rate p: harmful and harmless ones `steered`, harmful ones under `random`
    vectors and the `contrast` vector; how often a gate opens for either kind, if it is gated."""

    claim: str
    name: str
    steered: tuple[float, float]
    random: float = 0.0
    contrast: float = 0.0
    opens: tuple[float, float] | None = None
    wanted: str = ""
    wrong: tuple[str, ...] = ()


def cases() -> Iterator[Case]:
    yield Case("8a", "as random vectors", (0.1, 0.0), 0.1, -0.1, wrong=(HOLDS,))
    yield Case("8a", "as the contrast vector", (0.1, 0.0), 0.0, 0.1, wrong=(HOLDS,))
    yield Case("8a", "as both", (0.0, 0.0), wrong=(HOLDS,))
    yield Case("8a", f"{MOVED:.2f} more than both", (MOVED, 0.0), wrong=(FAILS,))
    yield Case("8b", f"{WORSE:.2f} lost, harmless refused", (0.0, WORSE), wrong=(HOLDS, FAILS))
    yield Case("8b", f"{WORSE:.2f} lost, both refused", (0.1, 0.1 + WORSE), wrong=(HOLDS, FAILS))
    yield Case("8c", "gate and harm unrelated", (0.1, 0.1), opens=(0.5, 0.5), wrong=(HOLDS,))
    yield Case("8c", "steering does nothing", (0.0, 0.0), opens=(0.9, 0.1), wrong=(HOLDS,))
    yield Case("8c", f"{MOVED:.2f} gained", (MOVED / 0.8, MOVED / 0.8), opens=(0.9, 0.1), wrong=(FAILS,))
    yield Case("8a", "0.40 more than both, as on the smaller Qwen", (0.4, 0.4), wanted=HOLDS)
    yield Case("8a", "0.20 more than both", (0.2, 0.2), wanted=HOLDS)
    yield Case("8a", "as both", (0.0, 0.0), wanted=FAILS)
    yield Case("8b", "0.05 gained", (0.2, 0.15), wanted=HOLDS)
    yield Case("8b", "nothing lost", (0.2, 0.2), wanted=HOLDS)
    yield Case("8b", "0.20 lost", (0.1, 0.3), wanted=FAILS)
    yield Case("8c", "0.19 gained, as on the smaller Qwen", (0.24, 0.24), opens=(0.9, 0.1), wanted=HOLDS)
    yield Case("8c", "0.10 gained", (0.125, 0.125), opens=(0.9, 0.1), wanted=HOLDS)
    yield Case("8c", "0.01 gained, as on the larger Qwen", (0.0125, 0.0125), opens=(0.9, 0.1), wanted=FAILS)


def verdict(case: Case, base: np.ndarray, prompts: int, random: np.random.Generator) -> str:
    """The verdict on one draw of a case, from base rates `[language]`."""
    n = len(base)

    def disposed(*parts: tuple[float, tuple[int, ...]]) -> np.ndarray:
        return sum(np.sqrt(share) * random.standard_normal(shape) for share, shape in parts)

    lasting = disposed((BY_ID, (2, 1, prompts)), (BY_PAIR, (1, 1, prompts)), (BY_PROMPT, (2, n, prompts)))
    chance = ((1 - BY_ID - BY_PAIR - BY_PROMPT), (2, n, prompts))

    def refused(*change: float) -> np.ndarray:
        rate = base + np.reshape(change, (-1, 1))
        return (lasting + disposed(chance) < norm.ppf(rate)[..., None]).astype(float)

    plain, steered = refused(0.0, 0.0), refused(*case.steered)
    broken = np.zeros((n, prompts))
    if case.opens:
        reading = disposed((0.4, (2, 1, prompts)), (0.6, (2, n, prompts)))
        steered = np.where(reading < norm.ppf(case.opens)[:, None, None], steered, plain)
    if case.claim != "8a":
        change = steered - plain
        return rules.finding(case.claim, [change[0] - change[1]], broken).verdict
    noise = np.mean([refused(case.random, 0.0) for _ in range(VECTORS)], axis=0)
    other = refused(case.contrast, 0.0)
    return rules.finding(case.claim, [steered[0] - noise[0], steered[0] - other[0]], broken).verdict


def base_rates(case: Case, name: str, languages: int) -> np.ndarray:
    """Base rates `[language]` of a name, moved as far as a case's changes need to stay between .02 and .98."""
    rate = RATES[name]
    rates = np.linspace(0.05, 0.85, languages) if rate is None else np.full(languages, rate)
    changes = (*case.steered, case.random, case.contrast, 0.0)
    return rates.clip(0.02 - min(changes), 0.98 - max(changes))


def simulated(task: tuple[int, Case, int, int, str, int]) -> dict[str, object]:
    """Shares of verdicts on a case in a shape, from a rate, over runs."""
    seed, case, prompts, languages, rates, runs = task
    runs = runs if case.wrong else runs // 2
    random, base = np.random.default_rng(seed), base_rates(case, rates, languages)
    found = [verdict(case, base, prompts, random) for _ in range(runs)]
    about = {"claim": case.claim, "case": case.name, "prompts": prompts, "languages": languages, "rates": rates}
    shares = {kind: found.count(kind) / runs for kind in (HOLDS, FAILS, UNDECIDED)}
    return about | {"wanted": case.wanted, "wrong": list(case.wrong), "runs": runs} | shares


def tasks(runs: int) -> list[tuple[int, Case, int, int, str, int]]:
    every = product(cases(), SHAPES, RATES)
    kept = ((c, s, r) for c, s, r in every if (r != "mixed" or s[1] > 2) and (c.wrong or r in ("middle", "mixed")))
    return [(seed, case, *shape, rates, runs) for seed, (case, shape, rates) in enumerate(kept)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rules.FLIPS = 1000  # of which quantiles are known well enough, over so many runs
    with Pool(asked.processes) as pool:
        rows = pool.map(simulated, tasks(asked.runs), chunksize=1)
    with whole_file(asked.out) as temporary:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        temporary.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

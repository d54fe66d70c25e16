"""How often the rules of the claims are wrong, and what they find: simulated concepts of the real shape.

    python scripts/simulate_rules.py --runs 400 --out book/results/simulation.json

Each run draws pair differences of one concept in sixteen languages, whose true directions, norms and noise are known,
and judges them by the rules as real results are judged. A rule is tried where it draws its line, where every verdict
other than undecided is wrong, and at effects that it should find. Languages, resource order, families and similarities
are real; translations of a pair share part of their noise, and pairs of one situation more of it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from xlv.cache import whole_file
from xlv.corpus.languages import language
from xlv.questions.claims import verdicts as rules
from xlv.questions.claims.evidence import Evidence, composite_similarity
from xlv.questions.consistency.kinship import within
from xlv.questions.consistency.moments import moments
from xlv.questions.consistency.pooled import pooled
from xlv.questions.recognition.accuracy import cross_validated, jackknifed
from xlv.questions.transfer.gradients import scaled, source_coefficients
from xlv.questions.transfer.one_way import one_way
from xlv.statistics.jackknife import Replicated, blocks
from xlv.statistics.vectors import own

LANGUAGES = ("en", "zh", "fr", "es", "pt", "vi", "id", "ca", "ja", "ko", "hu", "fi", "ta", "te", "sw", "ny")
RANKS = np.arange(len(LANGUAGES))  # in a usual resource order
WIDTH, PARTITIONS = 256, 3
SIZES = (128, 64, 48)  # pairs: the second cohort of three concepts and of four, and profile quick
ACCURACIES = (0.5, 0.75, 0.95, 0.998)  # at which coverage is measured


@dataclass(frozen=True)
class World:
    """What is true of a simulated concept.

    strength    mean signal: ‖μ‖² over the noise's variance per dimension
    tilt        by how much log ‖μ‖ rises from the poorest language to the richest
    european    by how much it is larger in Indo-European languages, and `dominant` in the dominant one
    spread      standard deviation of log ‖μ‖ over languages besides
    rho         true cosine of any two languages' directions
    kinship     by how much it rises per standard deviation of similarity; `kin_rich` among richer languages only
    teach       by how much it rises from the poorest to the richest language
    structure   seed of directions and norms; None: new ones in each run
    accuracy    whether accuracies are simulated, too, which take most of the time
    """

    pairs: int = 128
    strength: float = 1.4
    tilt: float = 0.0
    european: float = 0.0
    dominant: float = 0.0
    spread: float = 0.2
    rho: float = 0.8
    kinship: float = 0.0
    kin_rich: float = 0.0
    teach: float = 0.0
    structure: int | None = 7
    accuracy: bool = True


@cache
def _facts() -> tuple[np.ndarray, np.ndarray]:
    european = np.array([language(code).family == "Indo-European" for code in LANGUAGES])
    return european, composite_similarity(LANGUAGES)


def _cosines(world: World) -> np.ndarray:
    """True cosines of the directions, made positive definite where need be."""
    similarity, order = within(_facts()[1]), scaled(RANKS)
    similarity /= np.sqrt(np.square(similarity).sum() / (len(RANKS) * (len(RANKS) - 1)))
    lesser = np.minimum(order[:, None], order[None, :])
    cosines = world.rho + world.kinship * similarity + world.kin_rich * similarity * lesser
    cosines = cosines + world.teach * (order[:, None] + order[None, :] - 1) / 2
    np.fill_diagonal(cosines, 1.0)
    values, vectors = np.linalg.eigh(cosines)
    cosines = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(cosines))
    return cosines / np.outer(scale, scale)


def differences(world: World, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pair differences `[language, pair, d]` of a world, and the situation of each pair, two pairs each."""
    n, groups = len(LANGUAGES), np.arange(world.pairs) // 2
    order, european = scaled(RANKS), _facts()[0]
    fixed = random if world.structure is None else np.random.default_rng(world.structure)
    logs = (
        world.tilt * (order - 0.5) + world.european * (european - european.mean()) + world.spread * fixed.normal(size=n)
    )
    logs = logs + world.dominant * (RANKS == 0)
    basis = np.linalg.qr(fixed.normal(size=(WIDTH, n)))[0].T
    means = np.sqrt(world.strength) * np.exp(logs)[:, None] * (np.linalg.cholesky(_cosines(world)) @ basis)
    spectrum = (1 + np.arange(WIDTH)) ** -0.25
    spectrum = (spectrum / np.sqrt(np.mean(spectrum**2))).astype(np.float32)

    def noise(*shape: int) -> np.ndarray:
        return random.standard_normal((*shape, WIDTH), dtype=np.float32)

    shared = np.sqrt(0.14) * noise(world.pairs) + np.sqrt(0.06) * noise(world.pairs // 2).repeat(2, axis=0)
    drawn = means[:, None].astype(np.float32) + spectrum * (shared + np.sqrt(0.8) * noise(n, world.pairs))
    return drawn * np.exp(0.3 * fixed.normal(size=(n, 1, 1))).astype(np.float32), groups


def accuracy(drawn: np.ndarray, groups: np.ndarray) -> Replicated:
    """Recognition accuracy as the analysis has it, of one layer and fewer partitions."""
    found = cross_validated([drawn], groups, n_partitions=PARTITIONS)
    return jackknifed(lambda _layer: drawn, found, groups)


def surface_accuracy(strength: float, n_pairs: int, random: np.random.Generator) -> Replicated:
    """Accuracy `[surface_kind, language]` of classifiers that read features of their own, test pairs resampled only."""
    drawn, groups = differences(World(n_pairs, strength, rho=0.5), random)
    hits, block = own(cross_validated([drawn], groups, n_partitions=1).correct), blocks(groups)
    left = [hits[:, block != b].mean(axis=1) for b in range(block.max() + 1)]
    return Replicated(hits.mean(axis=1)[None], np.stack(left)[:, None])


def evidence(world: World, seed: int, *, surface: float = 0.0, second: bool = False) -> Evidence:
    """The evidence on a simulated concept; `surface` is the strength of what surface classifiers read.

    A `second` model shares half of its noise with the first one of the same seed. Moments are computed instead of
    accuracies in worlds without those.
    """
    random, n = np.random.default_rng(seed), len(RANKS)
    drawn, groups = differences(world, random)
    if second:
        still = replace(world, strength=0.0)
        noise, other = (differences(still, np.random.default_rng(s))[0] for s in (seed, seed + 10**6))
        drawn = drawn - noise + np.sqrt(0.5) * (noise + other)
    blank = Replicated(np.full((n, n), 0.9), np.full((32, n, n), 0.9))
    return Evidence(
        accuracy=accuracy(drawn, groups) if world.accuracy else blank,
        surface=surface_accuracy(surface, world.pairs, random) if surface else blank.of(lambda a: a[..., :1, :]),
        moments=None if world.accuracy else moments((drawn, drawn), groups),
        ranks=RANKS,
        dominant=RANKS == 0,
        european=_facts()[0],
        similarity=_facts()[1],
    )


STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "own": lambda a: np.diagonal(a).mean(),
    "gradient": lambda a: (a * source_coefficients(scaled(RANKS))).sum(),
    "U_A": lambda a: one_way(a, RANKS).crossing,
    "U": lambda a: one_way(a, RANKS).total,
    "T": lambda a: (a - np.diagonal(a))[RANKS[:, None] < RANKS].mean(),
}


@cache
def solved(world: World, field: str, low: float, high: float, statistic: str, target: float) -> World:
    """The world whose `field` makes the mean of an accuracy statistic the target, found by bisection."""

    def mean(value: float) -> float:
        changed, found = replace(world, **{field: value}), []
        for seed in range(24):
            drawn, groups = differences(changed, np.random.default_rng(seed))
            found.append(STATISTICS[statistic](cross_validated([drawn], groups, n_partitions=1).chosen))
        return float(np.mean(found))

    rising = mean(high) > mean(low)
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if (mean(middle) < target) == rising else (low, middle)
    return replace(world, **{field: (low + high) / 2})


Rule = Callable[..., rules.Finding]  # of the evidence on one model, or on two


@dataclass(frozen=True)
class Trial:
    """A rule tried on a world, or on two models' worlds: (world, what is solved for) each.

    `wrong` are the verdicts that would be, `wanted` the one that the rule should find.
    """

    claim: str
    case: str
    rule: Rule
    worlds: tuple[tuple[World, tuple | None], ...]
    wrong: tuple[str, ...] = ()
    wanted: str = ""
    surface: tuple | None = None

    def finding(self, seed: int) -> rules.Finding:
        """What the rule finds in one run."""
        worlds = [solved(world, *asked) if asked else world for world, asked in self.worlds]
        reads = solved(World(worlds[0].pairs, rho=0.5), *self.surface).strength if self.surface else 0.0
        return self.rule(*(evidence(w, seed, surface=reads, second=k > 0) for k, w in enumerate(worlds)))


def at(accuracy: float) -> tuple:
    """What is solved for where a concept is to be read at this mean accuracy."""
    return ("strength", 0.02, 6.0, "own", accuracy)


def trials(pairs: int) -> list[Trial]:
    """All trials at a number of pairs: each rule where it draws its line, and at effects that it should find."""
    usual = World(pairs)  # a concept without an order of languages
    rich = replace(usual, strength=1.6, tilt=1.0)  # as Gemma's toxicity
    strong = replace(rich, european=0.2, dominant=0.4, accuracy=False, strength=2.4, rho=0.7)
    return [*_recognised(usual), *_consistent(rich, strong), *_transferred(usual, rich), *_compared(usual, strong)]


_BOTH = {"wrong": (rules.HOLDS, rules.FAILS)}
_NOT, _NO_FAIL = {"wrong": (rules.HOLDS,)}, {"wrong": (rules.FAILS,)}
_FOUND, _REFUTED = {"wanted": rules.HOLDS}, {"wanted": rules.FAILS}


def _recognised(usual: World) -> Iterator[Trial]:
    for accuracy, outcome in ((0.6, _BOTH), (0.66, _FOUND), (0.68, _FOUND), (0.54, _REFUTED)):
        yield Trial("1a", f"accuracy {accuracy:.2f}", rules.encoded, ((usual, at(accuracy)),), **outcome)
    for gap, outcome in ((0.0, _BOTH), (0.08, _FOUND), (-0.08, _REFUTED)):
        world = (usual, at(0.62 + gap))
        yield Trial("1b", f"{gap:+.2f} over surface", rules.beyond_surface, (world,), surface=at(0.62), **outcome)
    for gain, outcome in ((0.0, _NOT), (0.02, _NO_FAIL), (0.06, _FOUND), (-0.04, _REFUTED)):
        yield Trial("2", f"gain {gain:+.2f}", rules.larger, ((usual, at(0.66)), (usual, at(0.66 + gain))), **outcome)


def _consistent(rich: World, strong: World) -> Iterator[Trial]:
    for rho, outcome in ((0.8, _BOTH), (0.5, _FOUND), (1.0, _REFUTED)):
        world = replace(rich, rho=rho, european=0.2, accuracy=False)
        yield Trial("3", f"ρ {rho:.1f}", rules.inconsistent, ((world, None),), **outcome)
    line = rules.RELATED
    for kinship, outcome in ((0.0, _NOT), (line, _NO_FAIL), (line, _FOUND), (0.0, _REFUTED)):
        yield Trial(
            "4a", f"kinship {kinship:.2f}", rules.related, ((replace(strong, kinship=kinship), None),), **outcome
        )
    for more, outcome in ((0.0, _NOT), (0.4, _FOUND)):
        world = replace(strong, rho=0.5, kinship=0.06, kin_rich=more)
        yield Trial("4b", f"kinship {more:+.2f} among the rich", rules.distorted, ((world, None),), **outcome)
    uneven = replace(
        strong, rho=0.5
    )  # by three quarters of its rise over all languages among the readable ones, halved
    for teach, outcome in ((0.0, _NOT), (0.75, _NO_FAIL), (0.9, _FOUND), (0.0, _REFUTED)):
        case = f"strength {teach / 3:+.2f} among the readable"
        yield Trial("7", case, rules.stronger, ((replace(uneven, teach=teach), None),), **outcome)


def _transferred(usual: World, rich: World) -> Iterator[Trial]:
    free = replace(usual, structure=None)
    nulls = {"no order": replace(free, spread=0.35), "families only": replace(free, european=0.5)}
    nulls["dominant language only"] = replace(free, dominant=0.8)
    lines = {"5": ("gradient", rules.GRADIENT, rules.teaching), "F4": ("U", rules.TRIANGLE, rules.triangular)}
    for claim, (statistic, line, rule) in lines.items():
        for name, world in nulls.items():
            if claim == "5" or name != "dominant language only":  # which is a triangle, too
                yield Trial(claim, name, rule, ((world, None),), **_NOT)
        solve = ("tilt", 0.0, 3.0, statistic, line)
        yield Trial(claim, f"{statistic} {line}", rule, ((usual, solve),), **_NO_FAIL)
        for name, spread in ((".75", 0.27), (".90", 0.15)):
            ordered = replace(rich, spread=spread, structure=None)
            yield Trial(claim, f"effects correlate {name} with rank", rule, ((ordered, None),), **_FOUND)
        yield Trial(claim, "no order, few differences", rule, ((replace(usual, spread=0.0), None),), **_REFUTED)
    yield Trial("6", "U_A 0, both gradients rise", rules.symmetric, ((replace(rich, tilt=1.4), None),), **_FOUND)
    leaning = replace(rich, strength=4.0, rho=0.9), ("tilt", 0.0, 5.0, "U_A", -rules.BALANCED)
    yield Trial("6", f"U_A {-rules.BALANCED}", rules.symmetric, (leaning,), **_BOTH)
    for gain, outcome in ((0.0, _BOTH), (0.02, _FOUND), (-0.04, _REFUTED)):
        world = replace(rich, tilt=1.6), ("rho", 0.3, 1.0, "T", gain)
        yield Trial("F4'", f"gain {gain:+.2f}", rules.gained, (world,), **outcome)


def _compared(usual: World, strong: World) -> Iterator[Trial]:
    def more(statistic: Callable[[Evidence], Replicated]) -> Rule:
        return lambda fewer, many: rules.multilingual("M", statistic(fewer), statistic(many), 1)

    consistent, gradient = more(lambda e: pooled(e.moments).linearised()), more(rules.source_gradient)
    for rho, outcome in ((0.7, _NOT), (0.9, _FOUND)):
        worlds = ((strong, None), (replace(strong, rho=rho), None))
        yield Trial("M", f"ρ {rho - 0.7:+.1f}", consistent, worlds, **outcome)
    steeper = ("tilt", 0.0, 3.0, "gradient", rules.SAME)
    for name, solve, outcome in (("+0.00", None, _NOT), (f"{rules.SAME:+.2f}", steeper, _NO_FAIL)):
        yield Trial("M", f"source gradient {name}", gradient, ((usual, None), (usual, solve)), **outcome)


def tried(trial: Trial, runs: int) -> dict[str, object]:
    """How often each verdict fell in some runs of a trial, and with what interval."""
    runs = runs if trial.wrong else (runs + 1) // 2  # a share to be found is known well enough
    found = [trial.finding(seed) for seed in range(1000, 1000 + runs)]
    shares = {v: sum(one.verdict == v for one in found) / runs for v in (rules.HOLDS, rules.FAILS, rules.NOT_ASKED)}
    seen = np.array([(one.value, (one.high - one.low) / 2) for one in found if np.isfinite(one.value)]).reshape(-1, 2)
    means = (
        {"value": seen[:, 0].mean(), "spread": seen[:, 0].std(), "half_width": seen[:, 1].mean()} if len(seen) else {}
    )
    about = {"claim": trial.claim, "case": trial.case, "wrong": list(trial.wrong), "wanted": trial.wanted, "runs": runs}
    return about | shares | {name: round(float(mean), 4) for name, mean in means.items()}


def covered(pairs: int, target: float, runs: int) -> dict[str, object]:
    """How often 95 % intervals of an accuracy cover its mean: of one language's own vector, and of their mean."""
    world = solved(World(pairs, spread=0.0), "strength", 0.0, 60.0, "own", target)
    found = [evidence(world, seed).own for seed in range(1000, 1000 + runs)]
    result: dict[str, object] = {"accuracy": target, "runs": runs}
    for name, statistic in (("one language", lambda a: a[..., 8]), ("mean", lambda a: a.mean(axis=-1))):
        each = [one.of(statistic) for one in found]
        truth, (low, high) = np.mean([one.value for one in each]), np.transpose([one.share_interval() for one in each])
        error = np.sqrt(np.mean([one.standard_error() ** 2 for one in each]))
        result[f"coverage, {name}"] = float(np.mean((low <= truth) & (truth <= high)))
        spread = np.std([one.value for one in each])
        result[f"error over spread, {name}"] = round(float(error / spread), 3) if spread else None
    return result


def _what(row: dict[str, object]) -> tuple:
    """What tells a row from the others."""
    return row["pairs"], row.get("claim"), row.get("case"), row.get("wanted"), row.get("accuracy")


def _about(job: tuple[int, int | float, int]) -> dict[str, object]:
    pairs, which, _ = job
    if isinstance(which, float):
        return {"pairs": pairs, "accuracy": which}
    trial = trials(pairs)[which]
    return {"pairs": pairs, "claim": trial.claim, "case": trial.case, "wanted": trial.wanted}


def _job(job: tuple[int, int | float, int]) -> dict[str, object]:
    pairs, which, runs = job
    if isinstance(which, float):
        return {"pairs": pairs} | covered(pairs, which, runs)
    return {"pairs": pairs} | tried(trials(pairs)[which], runs)


def main() -> None:
    """Run all trials, two at a time, and write their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400, help="per trial")
    parser.add_argument("--pairs", type=int, nargs="+", default=SIZES)
    parser.add_argument("--out", type=Path, default=Path("book/results/simulation.json"))
    parser.add_argument("--workers", type=int, default=2)
    asked, known = parser.parse_args(), {}
    if asked.out.exists():  # goes on where it was broken off, or tries new cases only
        rows = json.loads(asked.out.read_text(encoding="utf-8"))
        known = {_what(row): row for row in rows if row["runs"] in (asked.runs, (asked.runs + 1) // 2)}
    jobs = [(pairs, k, asked.runs) for pairs in asked.pairs for k in range(len(trials(pairs)))]
    jobs += [(pairs, accuracy, asked.runs) for pairs in asked.pairs for accuracy in ACCURACIES]
    wanted = {_what(_about(job)): job for job in jobs}
    with Pool(asked.workers) as pool:
        for row in pool.imap(_job, [job for what, job in wanted.items() if what not in known]):
            known[_what(row)] = row
            print(json.dumps(row, ensure_ascii=False), flush=True)
            rows = [known[what] for what in wanted if what in known]
            with whole_file(asked.out) as temporary:
                temporary.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Each rule on evidence whose numbers are set: when it holds, when it does not, when it is undecided or not asked."""

from dataclasses import replace

import numpy as np
import pytest

from xlv.questions.claims import verdicts as rules
from xlv.questions.claims.evidence import Evidence
from xlv.questions.claims.verdicts import CLAIMS, FAILS, HOLDS, NOT_ASKED, UNDECIDED
from xlv.questions.consistency.kinship import within
from xlv.questions.consistency.moments import Moments
from xlv.questions.transfer.gradients import scaled
from xlv.statistics.jackknife import Replicated

N = 16
RANKS = np.arange(N)
ORDER = scaled(RANKS)
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=(32, N, N))
SIMILARITY = (s := RANDOM.normal(size=(N, N))) + s.T


def replicated(value: np.ndarray, error: float) -> Replicated:
    """A value of which each cell has this standard error, the cells' errors independent."""
    noise = NOISE[(slice(None), *[slice(n) for n in value.shape])] if value.ndim == 2 else NOISE[:, 0, : len(value)]
    centred = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    return Replicated(value, value + centred * error / np.sqrt(31))


def moments(consistency: np.ndarray, error: float) -> Moments:
    """Moments of unit vectors with these cosines; all languages are readable."""
    random, halves = np.random.default_rng(1), []
    for _ in range(2):
        noise = random.normal(size=(16, N, N))
        noise = (noise + noise.swapaxes(1, 2)) / np.sqrt(2)
        rows = consistency + (noise - noise.mean(axis=0)) * error / np.sqrt(15)
        halves.append(Replicated(consistency, rows, np.zeros((4, N, N))))
    return Moments(tuple(halves), np.ones((2, N)))


def evidence(
    accuracy: np.ndarray | float = 0.7,
    *,
    error: float = 0.01,
    surface: float = 0.55,
    consistency: np.ndarray | float = 0.5,
    moment_error: float = 0.01,
) -> Evidence:
    cosines = np.full((N, N), consistency) if np.isscalar(consistency) else consistency.copy()
    np.fill_diagonal(cosines, 1.0)
    return Evidence(
        accuracy=replicated(np.full((N, N), accuracy) if np.isscalar(accuracy) else accuracy, error),
        surface=replicated(np.stack([np.full(N, surface), np.full(N, surface - 0.02)]), error),
        moments=moments(cosines, moment_error),
        ranks=RANKS,
        dominant=RANKS == 0,
        european=np.isin(RANKS, (0, 2, 3, 4, 7)),
        similarity=SIMILARITY,
    )


def tilted(source: float, target: float = 0.0, own: float = 0.0) -> np.ndarray:
    """Accuracies that rise by so much over the sources, the targets and the languages' own cells; a little uneven."""
    uneven = 0.002 * np.random.default_rng(2).normal(size=(N, N))
    return 0.65 + source * ORDER[:, None] + target * ORDER[None, :] + own * np.diag(ORDER) + uneven


@pytest.mark.parametrize(
    ("rule", "held", "failed", "undecided"),
    [
        (rules.encoded, evidence(0.7), evidence(0.55), evidence(0.6)),
        (rules.beyond_surface, evidence(0.7), evidence(0.5), evidence(0.55, error=0.05)),
        (rules.inconsistent, evidence(consistency=0.5), evidence(consistency=0.95), evidence(consistency=0.8)),
        (
            rules.related,
            evidence(consistency=0.6 + 0.08 * within(SIMILARITY)),
            evidence(consistency=0.6 + 0.001 * within(np.random.default_rng(3).normal(size=(N, N)))),
            evidence(consistency=0.6, moment_error=1.0),
        ),
        (rules.teaching, evidence(tilted(0.1)), evidence(tilted(0.0)), evidence(tilted(0.02), error=0.2)),
        (
            rules.symmetric,
            evidence(tilted(0.1, 0.1)),
            evidence(tilted(0.2, 0.0)),
            evidence(tilted(0.1, 0.1), error=0.4),
        ),
        (
            rules.stronger,
            evidence(consistency=0.4 + 0.4 * (ORDER[:, None] + ORDER) / 2),
            evidence(consistency=0.6),
            evidence(consistency=0.6, moment_error=1.0),
        ),
        (rules.triangular, evidence(tilted(0.1)), evidence(tilted(0.0)), evidence(tilted(0.02), error=0.2)),
        (rules.gained, evidence(tilted(0.2)), evidence(tilted(0.0, own=0.1)), evidence(tilted(0.0), error=0.3)),
    ],
)
def test_a_rule_holds_fails_or_is_undecided(rule, held, failed, undecided):
    assert [rule(e).verdict for e in (held, failed, undecided)] == [HOLDS, FAILS, UNDECIDED]


def test_one_surface_classifier_that_reads_as_well_is_enough():
    known = evidence(0.6, surface=0.6)
    assert rules.beyond_surface(known).verdict != HOLDS
    better = replace(known, surface=replicated(np.stack([np.full(N, 0.4), np.full(N, 0.7)]), 0.01))
    assert rules.beyond_surface(better).verdict == FAILS


def test_a_larger_model_must_read_better_by_a_margin_not_to_fail():
    small = evidence(0.65)
    gains = {gain: rules.larger(small, evidence(0.65 + gain, error=0.02)).verdict for gain in (0.05, 0.001, -0.05)}
    assert gains == {0.05: HOLDS, 0.001: FAILS, -0.05: FAILS}
    assert rules.larger(evidence(0.65, error=0.3), evidence(0.65, surface=0.5, error=0.6)).verdict == UNDECIDED


def test_what_other_languages_vectors_do_not_read_is_not_asked():
    blind = evidence(0.5)
    assert not rules.asked(blind)
    found = {finding.claim: finding for finding in rules.judge(blind)}
    assert set(found) == set(CLAIMS) - {*rules.OF_TWO, *rules.OF_CONTROL}
    for claim, finding in found.items():
        assert (finding.verdict == NOT_ASKED) == (claim not in ("1a", "1b"))
        assert finding.verdict != NOT_ASKED or (finding.why and np.isnan(finding.value))


@pytest.mark.parametrize(("rule", "least"), [(rules.inconsistent, 3), (rules.related, 10), (rules.stronger, 10)])
def test_too_few_readable_languages_are_counted(rule, least):
    known = evidence()
    weights = known.moments.weights.copy()
    weights[:, least:] = np.nan
    assert rule(replace(known, moments=Moments(known.moments.products, weights))).verdict != NOT_ASKED
    weights[1, 0] = np.nan
    finding = rule(replace(known, moments=Moments(known.moments.products, weights)))
    assert finding.verdict == NOT_ASKED and f"{least - 1} of 16 languages are readable" in finding.why


def test_claims_need_languages_enough_and_distances_that_are_known():
    few = evidence()
    kept = slice(0, 4)
    few = replace(
        few,
        accuracy=few.accuracy.of(lambda a: a[..., kept, kept]),
        ranks=RANKS[kept],
        dominant=few.dominant[kept],
        european=few.european[kept],
    )
    for rule in (rules.teaching, rules.symmetric, rules.triangular):
        assert rule(few).why == "it takes 5 languages, and there are 4"
    unknown = SIMILARITY.copy()
    unknown[2] = np.nan
    for rule in (rules.related, rules.distorted):
        finding = rule(replace(evidence(), similarity=unknown))
        assert finding.verdict == NOT_ASKED and "not known" in finding.why


def test_nothing_is_asked_of_a_few_situations():
    known = evidence(0.9)
    few = replace(known, accuracy=Replicated(known.accuracy.value, known.accuracy.replicates[:15]))
    assert {finding.verdict for finding in rules.judge(few)} == {NOT_ASKED}
    assert rules.judge(few)[0].why == "it takes 16 situations, and there are 15"
    assert rules.judge(known)[0].verdict == HOLDS


def test_teaching_must_not_rest_on_the_dominant_language():
    lifted = tilted(0.0)
    lifted[0] += 0.3
    finding = rules.teaching(evidence(lifted))
    assert finding.value > 0.05 and finding.verdict != HOLDS


def test_families_alone_make_no_triangle():
    european = np.isin(RANKS, (0, 2, 3, 4, 7)).astype(float)
    finding = rules.triangular(evidence(tilted(0.0) + 0.1 * european[:, None]))
    assert finding.low > 0 and finding.verdict != HOLDS


def test_symmetry_is_asked_of_what_rises():
    finding = rules.symmetric(evidence(tilted(0.0)))
    assert finding.verdict == UNDECIDED and "do not both rise" in finding.why


@pytest.mark.parametrize(
    ("difference", "error", "verdict"),
    [(0.2, 0.01, HOLDS), (-0.2, 0.01, FAILS), (0.001, 0.01, FAILS), (0.05, 0.1, UNDECIDED)],
)
def test_models_differ_in_the_paper_s_direction_in_the_other_or_not_at_all(difference, error, verdict):
    fewer, more = replicated(np.array([0.0]), error), replicated(np.array([0.0]), error)
    more = Replicated(np.array(difference), more.replicates[:, 0] * 2 + difference)
    fewer = Replicated(np.array(0.0), fewer.replicates[:, 0])
    assert rules.multilingual("M", fewer, more, 1).verdict == verdict
    assert rules.multilingual("M", more, fewer, -1).verdict == verdict


def test_the_interval_that_decides_is_wider_than_the_one_beside_it():
    finding = rules.encoded(evidence(0.7, error=0.1))
    assert finding.low < finding.low95 < finding.value < finding.high95 < finding.high
    assert finding.detectable > finding.high - finding.value


def test_the_words_of_the_rules_name_their_thresholds():
    assert "0.60" in CLAIMS["1a"]["rule"] and "0.025" in CLAIMS["5"]["rule"]
    assert all(set(words) == {"says", "statistic", "rule"} for words in CLAIMS.values())
    assert not any("{" in text or "  " in text for words in CLAIMS.values() for text in words.values())

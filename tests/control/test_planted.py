"""On a model whose answer is known the machinery finds a cross-lingual effect, and none where there is none."""

import pytest
import torch

from tests.control.planted import REFUSE, corpus, planted
from xlv.control.evaluate import evaluate
from xlv.control.measure import Bench
from xlv.models.vectors import concept_vectors
from xlv.questions.claims.control import findings
from xlv.questions.control import rates as tables
from xlv.questions.control import scores
from xlv.questions.control.gated import BLIND, CARRIED, RESET, knowing_table
from xlv.schema import BASELINE, DIRECTIONS, EFFECT, FOLLOWING, HARMFUL, RANDOM, REFUSING
from xlv.settings import Comparisons, ControlSettings, Search


def settings(folder) -> ControlSettings:
    return ControlSettings(
        targets=("en", "sw"),
        pairs=12,
        prompts=16,
        tokens=2,
        search=Search(
            prompts=12, neutral=4, doses=(0.02, 0.05, 0.1), windows=((0.2, 0.5), (0.5, 0.8)), max_divergence=5.0
        ),
        compare=Comparisons(sources=("en", "sw"), detailed=("sw",), random=19, random_generated=1, prompts=8),
        data=str(folder),
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Results of the planted model and of one that differs in nothing but that the direction does nothing."""
    folder = tmp_path_factory.mktemp("planted")
    corpus(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(folder / "cache"))
        chosen = settings(folder / "data")
        return {effect: evaluate(Bench(planted(effect), chosen.tokens), chosen) for effect in (1.0, 0.0)}


def rates(dataset):
    return tables.refusal_table(dataset).set_index(["condition", "kind", "target"])["rate"]


def test_the_vectors_of_both_languages_are_the_planted_direction(tmp_path):
    corpus(tmp_path / "data")
    for code in ("en", "sw"):
        vector = concept_vectors(planted(1.0), "harmfulness", code, pairs=12, data=tmp_path / "data").layers[2]
        assert vector[REFUSE] / vector.norm() == pytest.approx(-1, abs=1e-3)


def test_a_planted_effect_is_found_in_both_directions_and_across_languages(measured):
    rate = rates(measured[1.0])
    assert rate[BASELINE, HARMFUL, "en"] > rate[BASELINE, HARMFUL, "sw"] + 0.2
    assert rate[REFUSING, HARMFUL, "sw"] > rate[BASELINE, HARMFUL, "sw"] + 0.2
    assert rate[FOLLOWING, HARMFUL, "en"] < rate[BASELINE, HARMFUL, "en"] - 0.2
    shifts = scores.score_table(measured[1.0])
    for direction in DIRECTIONS:
        noise = shifts.loc[scores.select(measured[1.0], method=RANDOM, direction=direction)] * EFFECT[direction]
        assert (EFFECT[direction] * shifts.loc[direction] > noise.max()).all()
    # Sentiment has the pairs of harmfulness here, so that its vector does as much.
    moved = [one for cohort, _, one in findings(measured[1.0]) if (cohort, one.claim) == ("all", "8a")]
    assert len(moved) == 2 and all(one.value <= 0 and one.verdict != "holds" for one in moved)


def test_harm_is_read_from_states_with_effect_or_without(measured):
    for dataset in measured.values():
        known = knowing_table(dataset).set_index(["reader", "target"])["auroc"]
        assert (known["state"] > 0.8).all()


def test_gates_recombine_what_was_generated(measured):
    for dataset in measured.values():
        table = tables.selectivity_table(dataset).set_index(["condition", "target"])["selectivity"]
        assert (table[CARRIED] >= table[BASELINE] - 1e-9).all() and {BLIND, RESET} < set(
            table.index.unique("condition")
        )


def test_a_direction_that_does_nothing_is_found_to_do_nothing(measured):
    for direction in DIRECTIONS:
        idle, live = (scores.score_table(measured[effect]).loc[direction].abs() for effect in (0.0, 1.0))
        assert idle.max() < 0.1 * live.min()
    assert torch.allclose(torch.tensor(rates(measured[0.0]).values), torch.tensor(0.0, dtype=torch.double))

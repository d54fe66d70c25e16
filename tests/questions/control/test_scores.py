import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.control.measured import SETTINGS
from xlv.questions.control import scores
from xlv.questions.control.scores import auroc, prompt_weights
from xlv.schema import ADDITION, BASELINE, DIRECTIONS, FOLLOWING, HARMFUL, OWN, RANDOM, REFUSING


def test_auroc_is_that_of_scikit_learn_and_invariant_to_the_threshold():
    generator = np.random.default_rng(0)
    harmful, harmless = generator.normal(1, 1, 30).round(1), generator.normal(0, 1, 30).round(1)  # with ties
    found = auroc(harmful, harmless, prompt_weights(30))
    assert found[0] == pytest.approx(roc_auc_score([1] * 30 + [0] * 30, [*harmful, *harmless]))
    assert auroc(harmful + 7, harmless + 7, prompt_weights(30)) == pytest.approx(found)
    assert np.quantile(found[1:], 0.025) < found[0] < np.quantile(found[1:], 0.975)


def test_conditions_are_selected_by_what_was_done(found):
    names = scores.select(
        found["chat"], method=ADDITION, direction=REFUSING, source=["en", "fr"], concept="harmfulness"
    )
    assert names == [REFUSING, f"French vector ({REFUSING})"]
    assert scores.select(found["chat"], source=OWN) == [f"own vector ({direction})" for direction in DIRECTIONS]
    assert scores.select(found["chat"], method=RANDOM, direction=FOLLOWING, source="fr") == []
    assert len(scores.select(found["chat"])) == found["chat"].sizes["condition"]


def test_scores_compare_on_the_prompts_that_both_have(found):
    dataset = found["base"]
    name = f"random 1 ({REFUSING})"
    shift = scores.score_table(dataset).loc[name, "sw"]
    known = dataset["score"].sel(kind=HARMFUL, target="sw").values[:, : SETTINGS.compare.prompts]
    names = [str(n) for n in dataset["condition"].values]
    assert shift == pytest.approx((known[names.index(name)] - known[names.index(BASELINE)]).mean(), abs=1e-5)


def test_side_effects_are_per_token_and_nothing_without_control(found):
    table = scores.side_effects_table(found["chat"]).set_index(["condition", "language"])
    assert table.loc[BASELINE, "divergence"].to_numpy() == pytest.approx(0, abs=1e-5)
    assert (table["perplexity"] > 1).all() and (table.loc[REFUSING, "divergence"] > 0).all()

from dataclasses import replace

import numpy as np
import pytest

from tests.control.measured import SETTINGS
from xlv.control.evaluate import evaluate
from xlv.control.measure import Bench, Journal
from xlv.corpus.pairs import load_instructions
from xlv.models.activations import extract
from xlv.models.vectors import concept_vectors
from xlv.results import check
from xlv.schema import ADDITION, BASELINE, DIRECTIONS, FOLLOWING, OUTCOMES, OWN, POOLED, RANDOM, REFUSING, SYSTEM
from xlv.settings import Comparisons


@pytest.fixture(scope="module")
def model(tokenizer):
    from tests.conftest import tiny_network
    from xlv.models.blocks import find_blocks
    from xlv.models.model import Model

    network = tiny_network("llama")
    return Model("tiny-llama", network, tokenizer, find_blocks(network), "fp32", "chat", "tiny-llama")


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """Everything at once on a tiny model: random weights know no refusal, what must hold is the bookkeeping."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(tmp_path_factory.mktemp("cache")))
        return evaluate(Bench(model, SETTINGS.tokens), SETTINGS)


def test_what_is_measured_is_what_the_schema_says(whole):
    check(whole, "control")
    assert whole.attrs == {"source": "en", "concept": "harmfulness", "judge": "rules"}


def test_every_condition_is_scored_everywhere_and_generated_where_it_should_be(whole):
    assert whole["outcome"].dims == ("condition", "kind", "target", "prompt")
    names = [str(name) for name in whole["condition"].values]
    assert names[:3] == [BASELINE, REFUSING, FOLLOWING]
    assert {
        "French vector (towards refusing)",
        "own vector (towards following)",
        "ablation",
        "sentiment vector (towards refusing)",
        f"{SYSTEM} (towards following)",
    } < set(names)
    assert np.isfinite(whole["score"].values[..., : SETTINGS.compare.prompts]).all()
    generated = (whole["outcome"] >= 0).any(("kind", "prompt"))
    unseen = whole["draw"] >= SETTINGS.compare.random_generated
    assert generated.sel(target="en")[~unseen].all() and not generated[unseen].any()
    rivals = {f"{name} ({d})" for name in ("sentiment vector", SYSTEM, "random 1") for d in DIRECTIONS}
    assert set(whole["condition"].values[generated.sel(target="sw")]) == {BASELINE, *DIRECTIONS, *rivals}
    assert set(np.unique(whole["outcome"])) <= set(range(-1, len(OUTCOMES)))
    assert (whole["method"] == RANDOM).sum() == 4


def test_conditions_can_be_selected_by_what_was_done(whole):
    added = whole["method"] == ADDITION
    assert set(whole["source"].values[added]) == {"en", "fr", POOLED, OWN}
    assert set(whole["concept"].values[added]) == {"harmfulness", "sentiment"}
    assert list(whole["draw"].values[whole["method"] == RANDOM]) == [0, 0, 1, 1]
    assert (whole["draw"].values[whole["method"] != RANDOM] == -1).all()
    assert list(whole["direction"].values[:3]) == ["", *DIRECTIONS]


def test_gates_read_every_instruction_once_from_states_without_control(whole, model):
    assert whole["prompt"].values.tolist() == [102, 103, 104] and list(whole["searched"]) == ["en", "fr", POOLED]
    for name in ("projection", "split_projection", "split_score", "gate_layer", "gate_threshold"):
        assert np.isfinite(whole[name]).all()
    vectors = concept_vectors(model, "harmfulness", "en", pairs=SETTINGS.pairs, cohort="first")
    layer = int(whole["gate_layer"].sel(searched="en"))
    towards = -vectors.layers[layer] / vectors.layers[layer].norm()
    table = load_instructions("sw", "evaluation", limit=SETTINGS.prompts)
    read = extract(model, list(table["harmful"]))[:, layer - 1] @ towards
    stored = whole["projection"].sel(searched="en", kind="harmful", target="sw")
    np.testing.assert_allclose(stored, read.numpy(), rtol=1e-4, atol=1e-5)
    own = whole["split_projection"].sel(searched="en", target="en")
    middle = own.mean("split_prompt").mean("kind")
    assert float(whole["gate_threshold"].sel(searched="en")) == pytest.approx(float(middle), abs=1e-5)


def test_languages_without_completions_are_scored(model):
    settings = replace(NARROW, targets=("en", "sw"), generated=("en",))
    found = evaluate(Bench(model, SETTINGS.tokens), settings)
    assert (found["outcome"].sel(target="sw") == -1).all() and np.isfinite(found["score"].sel(target="sw")).any()
    assert (found["outcome"].sel(target="en", condition=REFUSING) >= 0).all()


def test_directions_are_signed_by_their_effect_and_doses_are_equal(whole):
    chosen = whole["strength"].sel(searched="en").to_series()
    assert chosen[REFUSING] < 0 < chosen[FOLLOWING]
    assert set(whole["chosen_dose"].values.ravel()) <= set(SETTINGS.search.doses)


def test_the_search_confirms_the_best_settings_by_generation(whole):
    confirmed = whole["search_rate"].notnull().all("rate")
    assert (confirmed.sum(("window", "dose")) == SETTINGS.search.confirmed).all()
    assert ((whole["search_rate"] >= 0) & (whole["search_rate"] <= 1)).where(confirmed).sum() == 4 * confirmed.sum()


def test_the_own_vector_of_the_source_is_the_source_vector(whole):
    own, main = (whole["score"].sel(target="en", condition=name) for name in (f"own vector ({REFUSING})", REFUSING))
    np.testing.assert_array_equal(own, main)


def test_a_random_vector_leaves_the_baseline_alone_less_than_it_is_bounded(whole):
    effects = whole["neutral_divergence"].sum("sentence", skipna=False) / whole["neutral_tokens"].sum("sentence")
    assert float(effects.sel(condition=BASELINE, neutral_language="en")) == pytest.approx(0, abs=1e-6)
    assert float(effects.sel(condition=REFUSING, neutral_language="en")) > 1e-6
    assert effects.sel(condition=f"{SYSTEM} ({REFUSING})").isnull().all()


def test_a_killed_run_goes_on_from_its_journal_to_the_same_result(model, whole, tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"

    def kill(what, done, _total):
        if what == "comparing" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), SETTINGS, progress=kill)
    kept = len(path.read_text().splitlines())
    path.write_text(path.read_text() + '["cut sho')  # a line that the kill cut short
    bench = Bench(model, SETTINGS.tokens, journal=Journal(path))
    assert evaluate(bench, SETTINGS).identical(whole)
    assert kept > 20
    read = []
    monkeypatch.setattr(Bench, "_read", lambda *a: read.append(a))
    assert evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), SETTINGS).identical(whole) and not read


NARROW = replace(SETTINGS, targets=("en",), compare=Comparisons(contrast="", random=0, detailed=(), prompts=2))


def test_a_larger_run_measures_only_what_is_new(model, tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), NARROW)
    read = []
    original = Bench._read
    monkeypatch.setattr(Bench, "_read", lambda *a: read.append((a[2], len(a[3]))) or original(*a))
    more = replace(NARROW, targets=("en", "sw"), prompts=4)
    larger = evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), more)
    assert {code for code, _ in read} == {"en", "sw"}
    assert all(count == 2 for code, count in read if code == "en")  # the fourth prompt of both kinds
    assert larger.sizes["prompt"] == 4

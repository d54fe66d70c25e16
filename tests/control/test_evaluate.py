import numpy as np
import pytest

from xlv.control.evaluate import evaluate
from xlv.control.journal import Journal
from xlv.control.measure import Bench
from xlv.control.names import BASELINE, DIRECTIONS, FOLLOWING, OUTCOMES, RANDOM, REFUSING, SYSTEM
from xlv.settings import ControlSettings

SETTINGS = ControlSettings(
    targets=("en", "sw"),
    sources=("en", "fr"),
    detailed=("en",),
    pairs=8,
    prompts=3,
    search_prompts=3,
    neutral=3,
    tokens=4,
    random=2,
    random_generated=1,
    score_prompts=2,
    doses=(0.05, 0.3),
    windows=((0.2, 0.5), (0.4, 0.9)),
    confirmed=2,
    response_doses=(0.05, 0.3),
    max_divergence=5.0,
)


@pytest.fixture(scope="module")
def model(tokenizer):
    from tests.conftest import tiny_network
    from xlv.models.load import Model, find_blocks

    network = tiny_network("llama")
    return Model("tiny-llama", network, tokenizer, find_blocks(network), "fp32", "chat", "tiny-llama")


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """Everything at once on a tiny model: random weights know no refusal, what must hold is the bookkeeping."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(tmp_path_factory.mktemp("cache")))
        return evaluate(Bench(model, SETTINGS.tokens), SETTINGS)


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
    assert np.isfinite(whole["score"].values[..., : SETTINGS.score_prompts]).all()
    generated = (whole["outcome"] >= 0).any(("kind", "prompt"))
    assert generated.sel(target="en").to_series()[[n for n in names if not n.startswith("random 2")]].all()
    assert set(generated.sel(target="sw").to_series().pipe(lambda s: s[s]).index) == {BASELINE, *DIRECTIONS}
    assert not generated.sel(condition=[n for n in names if n.startswith("random 2")]).any()
    assert set(np.unique(whole["outcome"])) <= set(range(-1, len(OUTCOMES)))
    assert (whole["means"] == RANDOM).sum() == 4


def test_directions_are_signed_by_their_effect_and_doses_are_equal(whole):
    chosen = whole["strength"].sel(source="en").to_series()
    assert chosen[REFUSING] < 0 < chosen[FOLLOWING]
    assert set(whole["chosen_dose"].values.ravel()) <= set(SETTINGS.doses)


def test_the_search_confirms_the_best_settings_by_generation(whole):
    confirmed = whole["search_rate"].notnull().all("rate")
    assert (confirmed.sum(("window", "dose")) == SETTINGS.confirmed).all()
    assert ((whole["search_rate"] >= 0) & (whole["search_rate"] <= 1)).where(confirmed).sum() == 4 * confirmed.sum()


def test_the_own_vector_of_the_source_is_the_source_vector(whole):
    own, main = (
        whole["score"].sel(target="en", condition=f"{name}{REFUSING}{end}")
        for name, end in (("own vector (", ")"), ("", ""))
    )
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


def test_a_larger_run_measures_only_what_is_new(model, tmp_path, monkeypatch):
    from dataclasses import replace

    small = replace(SETTINGS, sources=(), random=0, contrast="", targets=("en",), detailed=())
    path = tmp_path / "journal.jsonl"
    evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), small)
    read = []
    original = Bench._read
    monkeypatch.setattr(Bench, "_read", lambda *a: read.append((a[2], len(a[3]))) or original(*a))
    more = replace(small, targets=("en", "sw"), prompts=4)
    larger = evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path)), more)
    assert {code for code, _ in read} == {"en", "sw"}
    assert all(count == 2 for code, count in read if code == "en")  # the fourth prompt of both kinds
    assert larger.sizes["prompt"] == 4


def test_the_journal_and_the_results_hold_no_completion(model, tmp_path):
    path, kept = tmp_path / "journal.jsonl", []
    small = SETTINGS.__class__(**{**SETTINGS.__dict__, "sources": (), "random": 0, "targets": ("en",)})
    evaluate(Bench(model, SETTINGS.tokens, journal=Journal(path), keep=kept.append), small)
    long = [row["completion"] for row in kept if len(row["completion"]) > 6]
    assert long and not any(text in path.read_text() for text in long)


@pytest.mark.parametrize(
    "wrong", [{"tokens": 33}, {"tokens": 0}, {"prompts": 1}, {"neutral": 0}, {"score_prompts": 0}, {"confirmed": 0}]
)
def test_settings_out_of_range_are_refused_at_construction(wrong):
    with pytest.raises(ValueError, match="expected"):
        ControlSettings(**wrong)

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import tiny_network
from tests.control.measured import SETTINGS
from xlv.cache import silent
from xlv.control.conditions import UNSTEERED, Condition
from xlv.control.evaluate import LATE, _instructions, _late
from xlv.control.measure import Bench, Journal
from xlv.control.refusal import Judge
from xlv.models.blocks import find_blocks
from xlv.models.decoding import generate
from xlv.models.model import Model
from xlv.schema import ANSWER, BASELINE, KINDS, NOTHING, OUTCOMES, REFUSAL
from xlv.settings import ControlSettings

NONE = Condition(BASELINE, lambda _code: UNSTEERED, NOTHING)
WANTED = replace(SETTINGS, compare=replace(SETTINGS.compare, late=("sw", "fr")))  # French is no target here


class Patient(Judge):
    """Calls those completions refusals that differ from what it was shown first, and remembers what it is shown."""

    name = "patient"

    def __init__(self):
        self.first, self.shown = {}, {}

    def classify(self, prompts, completions, language):
        self.shown = dict(zip(prompts, completions, strict=True))
        self.first = {**self.shown, **self.first}
        return [ANSWER if self.first[prompt] == text else REFUSAL for prompt, text in self.shown.items()]


@pytest.fixture
def bench(tokenizer, tmp_path):
    network = tiny_network("llama")
    model = Model("tiny-llama", network, tokenizer, find_blocks(network), "fp32", "chat", "tiny-llama")
    return Bench(model, WANTED.tokens, Patient(), Journal(tmp_path / "journal.jsonl"), keep=tmp_path / "kept.jsonl")


def test_longer_completions_go_on_from_the_short_ones_are_judged_and_never_kept(bench):
    table = _instructions(WANTED, "sw")
    texts = [text for kind in KINDS for text in table[kind]]
    found = {(BASELINE, "sw"): bench.measure(UNSTEERED, "sw", texts, generate=True)}
    kept = bench.keep.read_text()
    late = _late(bench, WANTED, [NONE], found, silent)["late_outcome"]
    assert late.dims == ("late_condition", "kind", "late_target", "late_prompt", "length")
    assert list(late["length"].values) == [WANTED.tokens, LATE] and list(late["late_target"].values) == ["sw"]
    assert late.sizes["late_prompt"] == WANTED.compare.prompts
    assert (late.sel(length=WANTED.tokens) == OUTCOMES.index(ANSWER)).all()
    asked = [text for kind in KINDS for text in table[kind][: WANTED.compare.prompts]]
    long = generate(bench.model, asked, max_new_tokens=LATE)
    assert bench.judge.shown == dict(zip(asked, long, strict=True))
    grown = [
        OUTCOMES.index(REFUSAL if text != bench.judge.first[prompt] else ANSWER)
        for prompt, text in zip(asked, long, strict=True)
    ]
    np.testing.assert_array_equal(late.sel(length=LATE).values.ravel(), grown)
    assert bench.keep.read_text() == kept and not any(text in bench.journal.path.read_text() for text in long if text)


def test_without_languages_there_is_nothing_and_no_other_completion_may_be_so_long(bench):
    assert not _late(bench, SETTINGS, [NONE], {}, silent).data_vars
    with pytest.raises(ValueError, match="expected 1 to 32 tokens"):
        ControlSettings(tokens=LATE)

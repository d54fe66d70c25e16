import numpy as np
import pytest

from tests.conftest import tiny_network
from xlv.control.conditions import UNSTEERED, Condition
from xlv.control.late import LENGTHS, late_outcomes
from xlv.control.measure import Bench, Journal
from xlv.control.refusal import Judge
from xlv.corpus.pairs import load_instructions
from xlv.models.blocks import find_blocks
from xlv.models.decoding import generate
from xlv.models.model import Model
from xlv.schema import ANSWER, BASELINE, KINDS, NOTHING, OUTCOMES, REFUSAL
from xlv.settings import ControlSettings

NONE = Condition(BASELINE, lambda _code: UNSTEERED, NOTHING)


class Long(Judge):
    """Calls the longer half of what it is shown refusals, and remembers all of it."""

    name = "by length"

    def __init__(self):
        self.shown = []

    def classify(self, prompts, completions, language):
        self.shown.append(dict(zip(prompts, completions, strict=True)))
        return [REFUSAL if len(self.shown) % 2 == 0 else ANSWER for _ in completions]


@pytest.fixture(scope="module")
def model(tokenizer):
    network = tiny_network("llama")
    return Model("tiny-llama", network, tokenizer, find_blocks(network), "fp32", "chat", "tiny-llama")


@pytest.fixture
def tables():
    return {code: load_instructions(code, "search", limit=3) for code in ("en", "sw")}


def test_one_completion_is_judged_at_both_lengths_and_none_is_kept(model, tables, tmp_path):
    judge, journal, kept = Long(), tmp_path / "journal.jsonl", tmp_path / "kept.jsonl"
    bench = Bench(model, 4, judge, Journal(journal), keep=kept)
    found = late_outcomes(bench, [NONE], tables, lengths=(4, 12))["late_outcome"]
    assert found.dims == ("late_condition", "late_target", "kind", "late_prompt", "length") and found.shape[-1] == 2
    assert (found.sel(length=4) == OUTCOMES.index(ANSWER)).all() and (
        found.sel(length=12) == OUTCOMES.index(REFUSAL)
    ).all()
    prompts = [text for kind in KINDS for text in tables["en"][kind]]
    for length, shown in zip((4, 12), judge.shown, strict=False):
        assert [shown[prompt] for prompt in prompts] == generate(model, prompts, max_new_tokens=length)
    assert not kept.exists()
    assert not any(text in journal.read_text() for text in judge.shown[1].values() if len(text) > 6)


def test_what_is_known_is_not_generated_again_and_fewer_instructions_leave_gaps(model, tables, tmp_path, monkeypatch):
    bench = Bench(model, 4, Long(), Journal(tmp_path / "journal.jsonl"))
    tables["sw"] = tables["sw"][:2]
    first = late_outcomes(bench, [NONE], tables, lengths=(4, 12))
    assert (first["late_outcome"].sel(late_target="sw").isel(late_prompt=2) == -1).all()
    monkeypatch.setattr("xlv.control.late.ReadPrompts", lambda *_a, **_k: pytest.fail("generated again"))
    np.testing.assert_array_equal(
        late_outcomes(bench, [NONE], tables, lengths=(4, 12))["late_outcome"], first["late_outcome"]
    )


def test_without_languages_there_is_nothing_and_no_other_completion_may_be_so_long(model):
    assert not late_outcomes(Bench(model, 4), [NONE], {}).data_vars
    assert LENGTHS == (32, 128)
    with pytest.raises(ValueError, match="expected 1 to 32 tokens"):
        ControlSettings(tokens=128)

import json

import pytest

from xlv.batch.cost import estimate, kind, parameter_count
from xlv.batch.plan import DONE, plan
from xlv.batch.spec import read_spec


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("smollm2-135m", 135e6),
        ("qwen2.5-coder-0.5b", 0.5e9),
        ("bloomz-7b1", 7.1e9),
        ("qwen-chat-1.8b", 1.8e9),
        ("llama2-chat-70b", 70e9),
        ("org/model-7b-v2@main", 7e9),
        ("org/model", None),
        ("org/v2", None),
    ],
)
def test_the_size_of_a_model_is_read_from_its_name(model, count):
    assert parameter_count(model) == count


def test_the_size_of_a_folder_is_read_from_its_weights(tiny_folder, tiny):
    assert parameter_count(str(tiny_folder)) == tiny("llama").network.num_parameters()


def recorded(run, seconds, **changes):
    run.folder.mkdir(parents=True)
    cost = {"kind": kind(run), "work": 1e9, "notebooks": 1, "seconds": seconds} | changes
    (run.folder / DONE).write_text(json.dumps({"cost": cost}))


def test_time_is_estimated_from_the_same_run_before_else_from_the_rate_of_earlier_ones(spec):
    runs = plan(read_spec(spec()))
    fresh = estimate(runs)[runs[0].name]
    assert "measured here" in fresh.basis and fresh.seconds > 10 and fresh.work == 2 * fresh.parameters * fresh.tokens
    recorded(runs[0], 42.0)
    found = estimate(runs)
    assert found["llama-seed-1"].seconds == 42.0 and found["llama-seed-1"].basis == "the same run before"
    other = found["gpt2-seed-0"]
    assert other.seconds == pytest.approx(10 + other.work / (1e9 / 32)) and "of earlier runs" in other.basis


def test_where_nothing_tells_the_time_no_time_is_told(spec):
    [run] = plan(read_spec(spec(matrix={"models": ["org/model"]})))
    assert estimate([run])["model"].seconds is None and estimate([run])["model"].basis == "unknown size of model"

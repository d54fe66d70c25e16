"""Passes side by side: each item once, with its share of the threads, and errors stop what has not begun."""

import threading

import pytest
import torch

from xlv.models.activations import extract
from xlv.statistics.threads import for_each, side_by_side

CPU = torch.device("cpu")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_each_item_runs_once_with_its_share_of_the_threads(two_threads):
    both = threading.Barrier(2, timeout=30)  # passes only if two run at a time
    ran = []

    def run(item):
        both.wait()
        ran.append((item, torch.get_num_threads(), torch.is_inference_mode_enabled()))

    with torch.inference_mode():
        for_each(run, range(6), 2)
    assert sorted(ran) == [(item, 1, True) for item in range(6)]
    assert torch.get_num_threads() == 2


def test_an_error_is_raised_and_ends_what_has_not_begun(two_threads):
    ran = []

    def run(item):
        ran.append(item)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item [01]"):
        for_each(run, range(1000), 2)
    assert len(ran) <= 2
    assert torch.get_num_threads() == 2


def test_other_devices_and_single_threads_take_one_at_a_time(two_threads):
    assert side_by_side(CPU) == 2 and side_by_side(torch.device("meta")) == 1
    torch.set_num_threads(1)
    seen = []
    for_each(lambda item: seen.append((item, threading.current_thread())), range(3), side_by_side(CPU))
    assert seen == [(item, threading.main_thread()) for item in range(3)]


def test_states_do_not_depend_on_what_runs_beside(tiny, two_threads):
    model = tiny()
    texts = [f"I {word} and went on for {count} days." for word in ("sang", "waited", "slept") for count in range(12)]
    together = extract(model, texts, token_budget=24)
    torch.set_num_threads(1)
    torch.testing.assert_close(together, extract(model, texts, token_budget=24))

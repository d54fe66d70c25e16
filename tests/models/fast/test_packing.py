"""Rows of texts, batches of rows, and passes over batches: each text once, whatever the memory and the threads."""

import threading
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.conftest import ARCHITECTURES
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.blocks import find_blocks
from xlv.models.decoding import total_nats
from xlv.models.fast import probe
from xlv.models.fast.packing import layout_for, run_batches
from xlv.models.fast.rows import batches, many_a_row, one_a_row, sheet
from xlv.models.model import Model
from xlv.statistics.threads import AT_A_TIME

IDS = [[1, 2, 3, 4], [1, 2, 3], [9, 8], [1, 2, 5, 5, 5], [9, 8], [7]]
TEXTS = [
    "I kept the promise.",
    "No.",
    "I paid my neighbour for the window that I broke yesterday evening.",
    "Yes, I did.",
]


@pytest.mark.parametrize("layout", [one_a_row, many_a_row])
@pytest.mark.parametrize("budget", [1, 5, 7, 12, 1000])
def test_batches_hold_every_text_once_within_the_budget(layout, budget):
    parts = list(batches(IDS, range(len(IDS)), budget, layout))
    assert sorted(i for batch in parts for row in batch for i in row) == list(range(len(IDS)))
    for batch in parts:
        texts = [i for row in batch for i in row]
        assert len(texts) == 1 or sheet(IDS, batch, 0, torch.ones(1)).inputs["input_ids"].numel() <= budget


@pytest.mark.parametrize("multiple", [1, 2])
def test_where_nothing_may_be_padded_all_rows_of_a_batch_are_of_one_length(multiple):
    parts = list(batches(IDS, range(len(IDS)), 8, one_a_row, multiple, padded=False))
    assert sorted(i for batch in parts for row in batch for i in row) == list(range(len(IDS)))
    lengths = [{len(IDS[row[0]]) for row in batch} for batch in parts]
    assert all(len(found) == 1 for found in lengths) and max(map(len, parts)) == 3 - multiple


def test_each_part_of_some_texts_is_batched_for_itself(tiny):
    ids, parts = IDS * 3, [range(7), range(7, 12), range(12, 18)]
    alone, together = [], []
    for part in parts:
        run_batches(tiny(), ids, alone.append, 12, [part])
    run_batches(tiny(), ids, together.append, 12, parts)
    assert together == alone and len(alone) > 3
    assert all(any(set(sum(batch, [])) <= {*part} for part in parts) for batch in together)


def test_a_part_that_runs_out_of_memory_begins_anew_and_the_others_are_as_they_were(tiny):
    model, ids, ran = tiny(), [[k] * 4 for k in range(16)], []

    def run(batch):
        texts = sum(batch, [])
        if 9 in texts and len(texts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        ran.append(texts)

    run_batches(model, ids, run, 16, [range(5), range(5, 16)])
    assert sorted(sum((texts for texts in ran if max(texts) < 5), [])) == list(range(5))
    last = ran[-6:]  # of eleven texts, two at a time
    assert sorted(sum(last, [])) == list(range(5, 16)) and max(map(len, last)) == 2


@pytest.mark.parametrize("count", [5, 9, 100])
def test_batches_are_as_even_as_their_number_allows(count):
    ids = [[n] * (4 + n % 3) for n in range(count)]
    parts = list(batches(ids, range(count), 40, multiple=2))
    padded = [len(part) * max(len(ids[row[0]]) for row in part) for part in parts]
    assert sorted(i for part in parts for row in part for i in row) == list(range(count))
    assert len(parts) == -(-len(list(batches(ids, range(count), 40))) // 2) * 2
    assert len(list(batches(ids, range(count), max(padded) - 1))) > len(parts)


def test_a_row_is_a_tree_of_its_texts():
    inputs, texts, rows, paths = sheet(IDS, [[1, 0, 3], [2]], 0, torch.ones(1))
    assert inputs["input_ids"].tolist() == [[1, 2, 3, 4, 5, 5, 5], [9, 8, 0, 0, 0, 0, 0]]
    assert inputs["position_ids"][0].tolist() == [0, 1, 2, 3, 2, 3, 4]
    assert (texts, rows) == ([1, 0, 3, 2], [0, 0, 0, 1])
    assert paths == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 4, 5, 6], [0, 1]]
    sees = inputs["attention_mask"][0, 0] == 0
    assert torch.nonzero(sees[6])[:, 0].tolist() == [0, 1, 4, 5, 6]
    assert torch.nonzero(sees[3])[:, 0].tolist() == [0, 1, 2, 3]


def test_only_texts_that_share_much_fill_a_row():
    unlike = [[n, n, n] for n in range(6)]
    assert list(many_a_row(unlike, range(6), 12)) == [[0, 1], [2, 3], [4, 5]]
    alike = [[1, 1, n] for n in range(6)]
    assert list(many_a_row(alike, range(6), 12)) == [[0, 1, 2, 3, 4, 5]]


def test_rows_of_one_text_need_no_mask():
    assert set(sheet(IDS, [[0], [5]], 0, torch.ones(1)).inputs) == {"input_ids"}


def test_a_model_that_does_not_attend_as_told_gets_one_text_a_row(tiny):
    assert layout_for(tiny("llama"), IDS) is many_a_row
    assert layout_for(tiny("bloom"), IDS) is one_a_row


def test_rounding_in_many_layers_is_not_taken_for_disobedience(tiny):
    torch.manual_seed(0)
    config = ARCHITECTURES["llama"]()
    config.num_hidden_layers = 60
    deep = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    assert layout_for(replace(tiny("llama", "bf16"), network=deep, blocks=find_blocks(deep)), IDS) is many_a_row


@pytest.mark.parametrize("ignored", ["attention_mask", "position_ids"])
def test_a_model_that_ignores_mask_or_places_is_found_out(tiny, ignored):
    model = tiny("llama")

    def forget(_module, arguments, keywords):
        return arguments, {key: value for key, value in keywords.items() if key != ignored}

    handle = model.network.base_model.register_forward_pre_hook(forget, with_kwargs=True)
    assert layout_for(model, IDS) is one_a_row
    handle.remove()


def test_texts_longer_than_a_layers_window_stand_alone(tiny):
    model: Model = tiny("mistral")
    window = model.network.config.sliding_window
    assert layout_for(model, [[1] * window]) is many_a_row
    assert layout_for(model, [[1] * (window + 1)]) is one_a_row


def small_memory(model, tokens, error):
    """Let the model fail as if memory ran out on batches of more than so many padded tokens; returns what it ran."""
    ran = []

    def check(_module, _arguments, keywords):
        ran.append(keywords["input_ids"].shape)
        if keywords["input_ids"].numel() > tokens:
            raise error

    return ran, model.network.base_model.register_forward_pre_hook(check, with_kwargs=True)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["cuda", "cpu"],
)
@pytest.mark.parametrize("read", [extract, total_nats])
def test_batches_halve_when_memory_runs_out_and_the_result_is_the_same(tiny, read, error):
    model = tiny()
    whole = torch.as_tensor(read(model, TEXTS * 3 + ["Two."]))
    ran, handle = small_memory(model, 40, error)
    halved = torch.as_tensor(read(model, TEXTS * 3 + ["Two."]))
    handle.remove()
    torch.testing.assert_close(halved, whole, atol=1e-4, rtol=1e-4)
    failed = [shape.numel() for shape in ran if shape.numel() > 40]
    assert failed and len(failed) < 5 and ran[-1].numel() <= 40


def test_a_text_that_never_fits_and_other_errors_are_not_tried_again(tiny):
    model = tiny()
    ran, handle = small_memory(model, 3, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(ModelError, match="no memory left for a single text of .* --device cpu"):
        extract(model, TEXTS)
    handle.remove()
    ran, handle = small_memory(model, 0, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        extract(model, TEXTS)
    handle.remove()
    assert len(ran) <= min(torch.get_num_threads(), AT_A_TIME)  # no more than had begun


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_batches_run_side_by_side_with_their_share_of_the_threads_in_the_caller_s_mode(tiny, two_threads):
    both = threading.Barrier(2, timeout=30)  # passes only if two run at a time
    ran = []

    def run(batch):
        both.wait()
        ran.append((sum(batch, []), torch.get_num_threads(), torch.is_inference_mode_enabled()))

    with torch.inference_mode():
        run_batches(tiny(), [[k] * 5 for k in range(8)], run, 10)
    assert sorted(sum((texts for texts, *_ in ran), [])) == list(range(8))
    assert {tuple(how) for _, *how in ran} == {(1, True)}
    assert torch.get_num_threads() == 2


def test_weights_that_move_between_devices_serve_one_pass_at_a_time(tiny, two_threads):
    model, ran = tiny(), []
    model.network.hf_device_map = {"": "cpu"}
    run_batches(model, [[k] * 5 for k in range(8)], lambda batch: ran.append(threading.current_thread()), 10)
    assert set(ran) == {threading.current_thread()}


def test_states_do_not_depend_on_what_runs_beside(tiny, two_threads):
    model = tiny()
    texts = [f"I {word} and went on for {count} days." for word in ("sang", "waited", "slept") for count in range(12)]
    together = extract(model, texts, token_budget=24)
    torch.set_num_threads(1)
    torch.testing.assert_close(together, extract(model, texts, token_budget=24))


def test_a_model_is_tried_out_once(tiny, monkeypatch):
    model, tried = tiny(), []
    original = probe._tried
    monkeypatch.setattr(probe, "_tried", lambda m: tried.append(m) or original(m))
    extract(model, TEXTS), extract(model, TEXTS[:2])
    assert tried == [model]

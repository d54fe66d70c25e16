from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.conftest import ARCHITECTURES
from xlv.models.fast.packing import batches, layout_for, many_a_row, one_a_row, sheet
from xlv.models.load import Model

IDS = [[1, 2, 3, 4], [1, 2, 3], [9, 8], [1, 2, 5, 5, 5], [9, 8], [7]]


@pytest.mark.parametrize("layout", [one_a_row, many_a_row])
@pytest.mark.parametrize("budget", [1, 5, 7, 12, 1000])
def test_batches_hold_every_text_once_within_the_budget(layout, budget):
    parts = list(batches(IDS, range(len(IDS)), budget, layout))
    assert sorted(i for batch in parts for row in batch for i in row) == list(range(len(IDS)))
    for batch in parts:
        texts = [i for row in batch for i in row]
        assert len(texts) == 1 or sheet(IDS, batch, 0, torch.ones(1)).inputs["input_ids"].numel() <= budget


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
    assert layout_for(replace(tiny("llama", "bf16"), network=deep), IDS) is many_a_row


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

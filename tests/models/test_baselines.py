import numpy as np
import pytest
import torch

from xlv.models.activations import extract
from xlv.models.baselines import embedding_states, likelihood_margins, token_overlap, untrained
from xlv.models.decoding import total_nats

TEXTS = ["The river bends twice.", "Salt melts ice.", "A short walk home."]


def test_embedding_states_are_means_of_token_embeddings_whatever_the_order(tiny):
    model = tiny()
    found = embedding_states(model, TEXTS)
    table = model.network.get_input_embeddings().weight.detach()
    for row, text in zip(found, TEXTS, strict=True):
        np.testing.assert_allclose(row, table[model.token_ids([text])[0]].mean(dim=0), rtol=1e-5)
    np.testing.assert_allclose(embedding_states(model, TEXTS[::-1]), found[::-1])


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom"])
def test_an_untrained_model_has_the_shape_of_the_model_and_none_of_its_weights(tiny, architecture):
    model, blank = tiny(architecture), untrained(tiny(architecture))
    shapes = [{name: w.shape for name, w in m.network.named_parameters()} for m in (model, blank)]
    assert shapes[0] == shapes[1] and blank.n_layers == model.n_layers
    assert blank.fingerprint != model.fingerprint and blank.network.dtype == torch.bfloat16
    assert not torch.allclose(extract(blank, TEXTS).float(), extract(model, TEXTS).float(), atol=1e-2)
    assert torch.equal(extract(untrained(tiny(architecture)), TEXTS), extract(blank, TEXTS))
    assert not torch.equal(extract(untrained(model, seed=1), TEXTS), extract(blank, TEXTS))


def test_the_trained_weights_are_let_go_of_before_the_untrained_ones_are_made(tiny, monkeypatch):
    model, left = tiny(), []
    original = type(model.network)._from_config

    def made(config, **how):
        left.extend(tensor.numel() for tensor in (*model.network.parameters(), *model.network.buffers()))
        return original(config, **how)

    monkeypatch.setattr(type(model.network), "_from_config", made)
    blank = untrained(model)
    assert left and not any(left)
    assert blank.network.device.type == "cpu"


def test_an_untrained_model_is_spread_as_the_trained_one_was(tiny):
    model = tiny()
    model.network.hf_device_map = {"model": "cpu", "lm_head": "disk"}
    wanted = extract(untrained(tiny()), TEXTS)
    blank = untrained(model)
    assert blank.network.hf_device_map == {"model": "cpu", "lm_head": "cpu"}
    assert torch.equal(extract(blank, TEXTS), wanted)


def test_making_an_untrained_model_leaves_the_random_state_alone(tiny):
    model = tiny()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    untrained(model)
    assert torch.equal(torch.rand(3), expected)


def test_likelihood_margins_are_differences_of_nats(tiny):
    model = tiny()
    nats = total_nats(model, TEXTS)
    np.testing.assert_allclose(likelihood_margins(model, TEXTS[:1], TEXTS[1:2]), nats[1] - nats[0], rtol=1e-5)


def test_token_overlap_is_the_jaccard_index_of_token_types(tiny):
    model = tiny()
    found = token_overlap(model, {"a": TEXTS[:2], "b": TEXTS[:2][::-1], "c": TEXTS[2:]})
    one, other = (set(sum(model.token_ids(rows), [])) for rows in (TEXTS[:2], TEXTS[2:]))
    assert found[0, 1] == 1.0 and found[0, 2] == pytest.approx(len(one & other) / len(one | other))
    np.testing.assert_array_equal(found, found.T)

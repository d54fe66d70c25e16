"""The fast reader gives the states of the plain one, and does no work that nobody reads."""

from contextlib import contextmanager

import pytest
import torch

from tests.conftest import ARCHITECTURES
from xlv.models.activations import extract
from xlv.models.fast.reading import read_fast

TEXTS = [
    "I kept the promise.",
    "No.",
    "I paid my neighbour for the window that I broke yesterday evening.",
    "Yes, I did.",
]
ALIKE = [
    "I paid my neighbour for the window.",
    "I paid my neighbour for nothing at all.",
    "I paid my neighbour",
    "You paid me.",
]


@contextmanager
def tokens_read(model):
    """A list that grows by the number of tokens, padding included, of every forward pass."""
    seen = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].shape[:2].numel()))
    yield seen
    handle.remove()


@pytest.mark.parametrize("texts", [TEXTS, ALIKE], ids=["unlike", "alike"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_those_of_the_plain_reader(tiny, architecture, texts):
    model = tiny(architecture)
    torch.testing.assert_close(read_fast(model, texts), extract(model, texts, fast=False), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 20, 10_000])
def test_states_do_not_depend_on_the_batch(tiny, budget):
    model = tiny()
    torch.testing.assert_close(read_fast(model, TEXTS, budget), read_fast(model, TEXTS), atol=1e-5, rtol=1e-4)


def test_what_texts_begin_with_is_computed_once(tiny):
    model = tiny()
    read_fast(model, TEXTS)
    with tokens_read(model) as seen:
        read_fast(model, ALIKE[:2])
    lengths = [len(row) for row in model.token_ids(ALIKE[:2])]
    assert max(lengths) < sum(seen) < sum(lengths) - 4


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom", "falcon", "mixtral"])
def test_the_last_mlp_sees_no_token_that_nothing_is_read_from(tiny, architecture):
    model, seen = tiny(architecture), []
    handle = model.blocks[-1].mlp.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].shape[:2].numel()))
    read_fast(model, TEXTS)
    handle.remove()
    assert sum(seen) == len(TEXTS)
    assert not model.blocks[-1].mlp._forward_pre_hooks and not model.blocks[-1].mlp._forward_hooks


def test_the_vocabulary_head_is_never_computed(tiny):
    model = tiny()
    handle = model.network.get_output_embeddings().register_forward_hook(lambda *_: pytest.fail("head ran"))
    read_fast(model, TEXTS)
    handle.remove()


@pytest.mark.parametrize("error", [RuntimeError("of another kind"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_hooks_are_removed_even_after_an_error(tiny, error):
    model = tiny()
    read_fast(model, TEXTS)

    def fail(*_given):
        raise error

    handle = model.blocks[2].register_forward_pre_hook(fail)
    with pytest.raises(type(error)):
        read_fast(model, TEXTS)
    handle.remove()
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.network.modules())

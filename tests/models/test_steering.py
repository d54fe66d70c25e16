import pytest
import torch

from tests.conftest import ARCHITECTURES
from xlv.models.advice import ModelError
from xlv.models.decoding import generate
from xlv.models.steering import directional_ablation, layer_ablation, relative_dose, steer

IDS = torch.tensor([[5, 17, 99, 42, 7]])


def residual(model, layer):
    """What the block after `layer` reads: the residual stream as later blocks see it."""
    seen = []
    handle = model.blocks[layer].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].clone()))
    model.network(input_ids=IDS)
    handle.remove()
    return seen[0]


def vectors(model, layers=(2, 3), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {layer: torch.randn(model.d_model, generator=generator) for layer in layers}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_addition_moves_the_block_output_by_exactly_s_times_v_at_every_token(tiny, architecture):
    model, vector = tiny(architecture), vectors(tiny(architecture), layers=(2,))[2]
    before = residual(model, 2)
    with steer(model, {2: vector}, 0.5):
        after = residual(model, 2)
    torch.testing.assert_close(after - before, (0.5 * vector).expand_as(before), atol=1e-5, rtol=1e-4)


def test_zero_strength_changes_no_logit(tiny):
    model = tiny()
    before = model.network(input_ids=IDS).logits
    with steer(model, vectors(model), 0.0):
        assert torch.equal(model.network(input_ids=IDS).logits, before)


def test_two_additions_are_their_sum(tiny):
    model = tiny()
    one, two = vectors(model, seed=1), vectors(model, seed=2)
    with steer(model, one, 1.0), steer(model, two, 1.0):
        nested = model.network(input_ids=IDS).logits
    with steer(model, {k: one[k] + two[k] for k in one}, 1.0):
        together = model.network(input_ids=IDS).logits
    torch.testing.assert_close(nested, together, atol=1e-5, rtol=1e-4)


def test_layer_ablation_removes_the_projection_where_it_acts_and_not_later(tiny):
    model = tiny()
    direction = vectors(model, layers=(2,))
    unit = direction[2] / direction[2].norm()
    with layer_ablation(model, direction):
        assert (residual(model, 2) @ unit).abs().max() < 1e-5
        assert (residual(model, 3) @ unit).abs().max() > 1e-3


def written(model):
    """What every block reads, and what its attention and its MLP write, in one pass."""
    seen, handles = [], []
    for block in model.blocks:
        handles.append(block.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0])))
        for name, part in block.named_children():
            if name in ("self_attn", "attn", "attention", "self_attention", "mlp", "fc2"):
                keep = lambda _m, _i, output: seen.append(output[0] if isinstance(output, tuple) else output)  # noqa: E731
                handles.append(part.register_forward_hook(keep))
    model.network(input_ids=IDS)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_directional_ablation_leaves_no_block_anything_of_the_direction_to_read_or_write(tiny, architecture):
    model = tiny(architecture)
    vector = vectors(model, layers=(2,))[2]
    unit, before = vector / vector.norm(), model.network(input_ids=IDS).logits
    assert max(float((part @ unit).abs().max()) for part in written(model)) > 1e-3
    with directional_ablation(model, vector):
        found = written(model)
        assert len(found) == 3 * model.n_layers
        assert max(float((part @ unit).abs().max()) for part in found) < 1e-5
    assert torch.equal(model.network(input_ids=IDS).logits, before)


def test_blocks_whose_parts_have_other_names_are_refused_with_what_they_have(tiny):
    model = tiny()
    for block in model.blocks:
        block.feeder = block._modules.pop("mlp")
    with pytest.raises(ModelError, match="found none of mlp.*feeder"), directional_ablation(model, torch.ones(32)):
        pass


def test_layers_without_a_vector_are_refused(tiny):
    with pytest.raises(ValueError, match="no vector of layer 1: expected layers 2 to 3"):
        with steer(tiny(), vectors(tiny()), 1.0, layers=[1]):
            pass


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_model_is_left_as_found_after_an_exception(tiny, error):
    model = tiny()
    before = model.network(input_ids=IDS).logits
    with pytest.raises(error), steer(model, vectors(model), 3.0):
        raise error
    assert torch.equal(model.network(input_ids=IDS).logits, before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({4: torch.ones(32)}, "expected 1 to 3"),
        ({0: torch.ones(32)}, "expected 1 to 3"),
        ({2: torch.ones(31)}, r"expected \(32,\)"),
        ({2: torch.full((32,), float("nan"))}, "not finite"),
    ],
)
def test_impossible_vectors_are_refused_by_name(tiny, wrong, message):
    with pytest.raises(ValueError, match=message), steer(tiny(), wrong, 1.0):
        pass


@pytest.mark.parametrize("architecture", ["llama", "bloom", "gemma3"])
def test_batched_generation_equals_unbatched_under_control(tiny, architecture):
    model = tiny(architecture)
    prompts = ["I kept the promise", "No", "I paid my neighbour for the window"]
    with steer(model, vectors(model), 0.1):
        batched = generate(model, prompts, max_new_tokens=6)
        single = [generate(model, [prompt], max_new_tokens=6)[0] for prompt in prompts]
    assert batched == single


def test_generation_under_control_equals_recomputing_every_prefix(tiny):
    """With the KV cache, control must act on cached prompt tokens and on generated ones alike."""
    model = tiny()
    ids = model.token_ids(["I kept the promise"])[0]
    with steer(model, vectors(model), 0.5):
        text = generate(model, ["I kept the promise"], max_new_tokens=5)[0]
        for _ in range(5):
            ids = [*ids, int(model.network(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
    assert text == model.tokenizer.decode(ids[-5:], skip_special_tokens=True)


def test_relative_dose_is_strength_times_norm_over_residual_norm():
    assert relative_dose({1: torch.tensor([3.0, 4.0])}, -0.5, {1: 10.0}) == pytest.approx(0.25)

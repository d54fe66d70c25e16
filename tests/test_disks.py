"""Disks that fill up, are only read, give no locks or are shared: one line each, and what was there stays whole."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.edition.test_book import write_notebook
from tests.gguf_file import write_gguf
from xlv import cache
from xlv.batch.conduct import conduct
from xlv.batch.runs import plan
from xlv.batch.spec import read_spec
from xlv.control.measure import write_private
from xlv.edition.book import execute_notebooks
from xlv.models.activations import cached_activations
from xlv.models.weights import resolve
from xlv.report.card import card
from xlv.results import load
from xlv.settings import Comparisons, ControlSettings, Search, Settings
from xlv.study import run_control, run_study

ROOT = Path(__file__).parents[1]
SETTINGS = Settings(concepts=("morality",), languages=("en", "fr"), pairs=8, baselines=False, dtype="fp32")
CONTROL = ControlSettings(
    targets=("en",),
    pairs=8,
    prompts=2,
    tokens=2,
    search=Search(prompts=2, doses=(0.01,), windows=((0.4, 0.7),), neutral=2, confirmed=1),
    compare=Comparisons(prompts=1, contrast="", random=1, random_generated=0, detailed=()),
    dtype="fp32",
)


def mounted(folder: Path, size: str) -> Path:
    """A disk of its own at a folder; skips the test, with the reason, where none can be mounted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    return folder


class Disk:
    """A small disk that fills up when a file on it is about to be written, the first so many `allowed`."""

    hooked: list["Disk"] = []  # hooks of audits stay for ever

    def __init__(self, folder: Path) -> None:
        self.folder, self.allowed, self.full_at = folder, None, ""
        if not self.hooked:
            sys.addaudithook(lambda event, given: self.hooked and event == "open" and self.hooked[0].heed(*given))
        self.hooked[:] = [self]

    def heed(self, path: object, _mode: object, flags: int) -> None:
        inside = str(path).startswith(f"{self.folder}/") and not str(path).endswith((".lock", "filler"))
        sealed = flags & os.O_APPEND and str(path).endswith(".part")  # a few bytes, which have room in the last page
        if self.allowed is None or not inside or sealed or not flags & os.O_CREAT or Path(str(path)).is_dir():
            return
        self.allowed -= 1
        if self.allowed < 0:
            self.allowed, self.full_at = None, Path(str(path)).name
            with pytest.raises(OSError), open(self.folder / "filler", "wb", buffering=0) as filler:
                while filler.write(bytes(1 << 20)):
                    pass

    def filled_after(self, allowed: int, steps) -> str:
        """Take steps while the disk fills up; returns what was to be written then, "" if it did not: all was."""
        self.allowed, self.full_at = allowed, ""
        try:
            steps()
        except OSError as error:
            assert len(str(error).splitlines()) == 1
            assert str(self.folder) in str(error) and "is full: make room (`xlv cache list`" in str(error)
            assert self.full_at  # without an error, the rest had room in what was there
        self.allowed = None
        (self.folder / "filler").unlink(missing_ok=True)
        return self.full_at


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A small disk with the cache on it."""
    folder = mounted(tmp_path / "small", "16m")
    monkeypatch.setenv("XLV_CACHE", str(folder / "cache"))
    yield Disk(folder)
    Disk.hooked.clear()
    subprocess.run(["umount", "-l", folder], check=True)


def whole(folder: Path) -> None:
    """Every file of a name that is not temporary can be read, and nothing temporary is left."""
    for path in filter(Path.is_file, folder.rglob("*")):
        assert not path.name.endswith(".part"), path
        if path.suffix == ".nc":
            load(path)
        elif path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                assert [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118


def places_of_failure(disk: Disk, steps) -> set[str]:
    """What was to be written whenever the disk filled up, until all steps were taken: at each of them once."""
    allowed, met, before = 0, [], None
    while step := disk.filled_after(allowed, steps):
        whole(disk.folder)
        assert len(met) < 60, f"no step further: {met[-3:]}"
        met.append(re.sub(r"^\.|\.[0-9a-f]{8}\.part$", "", step))
        paths = disk.folder.rglob("*")  # a notebook holds times, so that its size is not always the same
        after = {(path, path.suffix != ".ipynb" and path.stat().st_size) for path in paths}
        allowed, before = 1 if before not in (None, after) else allowed + 1, after
    return set(met)


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ("study", {"safetensors", "recognition.nc", "consistency.nc"}),
        ("vectors", {"morality_en.safetensors", "morality_fr.safetensors"}),
        ("control", {"safetensors", "-kept.jsonl", "jsonl", "control.nc"}),
        ("card", {"card.html"}),
        ("notebooks", {"one.ipynb"}),
    ],
)
def test_a_disk_that_fills_up_at_any_step_of_a_run_is_said_in_one_line_and_the_run_goes_on_from_there(
    part, written, disk, saved_model, tmp_path
):
    model, out = str(saved_model), disk.folder / "out"
    write_notebook(tmp_path, "one", "print(models)")

    def page() -> None:
        [recognition, consistency] = [load(path) for name in ("rec*", "cons*") for path in out.rglob(f"{name}.nc")]
        with cache.whole_file(out / "card.html") as temporary:
            temporary.write_text(card(recognition, consistency, None), encoding="utf-8")

    parts = {
        "study": lambda: run_study(model, SETTINGS, out),
        "vectors": lambda: run_study(model, SETTINGS, out, vectors=True),
        "control": lambda: run_control(model, CONTROL, out, keep_completions=True),
        "card": page,
        "notebooks": lambda: execute_notebooks(["one"], {"models": "b"}, out, root=tmp_path),
    }
    if part in ("vectors", "card"):
        parts["study"]()
    met = places_of_failure(disk, parts[part])
    assert {name for name in written if any(place.endswith(name) for place in met)} == written


def test_a_disk_that_fills_up_while_weights_are_converted_keeps_nothing_of_them(disk, tiny, tmp_path, monkeypatch):
    model = tmp_path / "tiny.gguf"
    write_gguf(model, tiny("llama").network, tiny("llama").tokenizer)
    with pytest.raises(OSError, match="unpacking tiny needs 0.1 GB in .*weights, where 0.0 GB are free"):
        resolve(str(model))
    monkeypatch.setattr(cache, "need_space", lambda *_given: None)  # as if it filled up later
    met = places_of_failure(disk, lambda: resolve(str(model)))
    assert {"config.json", "tokenizer_config.json", "name.txt", "manifest.json"} <= met


READING = """
import os, sys
from xlv.models.activations import cached_activations
from xlv.models.weights import resolve
print(resolve(sys.argv[1]).location)
"""


def as_nobody(*command: object, **more) -> subprocess.CompletedProcess:
    """A command as another user, who may write nothing of ours; skips the test where we cannot be one."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can act as another user, by setpriv")
    drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    return subprocess.run([*drop, *map(str, command)], capture_output=True, text=True, timeout=120, **more)


@pytest.fixture
def shared(tiny, monkeypatch):
    """A folder that another user can reach, with a GGUF file and a cache that holds its converted weights."""
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("XLV_CACHE", str(folder / "cache"))
        write_gguf(folder / "tiny.gguf", tiny("llama").network, tiny("llama").tokenizer)
        yield folder


def test_weights_in_a_cache_that_is_only_read_are_read_without_a_lock(shared):
    location = resolve(str(shared / "tiny.gguf")).location
    for path in (shared / "cache" / "weights").glob(".*.lock"):
        path.unlink()
    found = as_nobody(sys.executable, "-c", READING, shared / "tiny.gguf", cwd=ROOT, env=os.environ | {"HOME": "/"})
    assert found.stdout.strip() == location, found.stderr
    assert not list((shared / "cache" / "weights").glob(".*"))


def test_a_cache_that_cannot_be_written_is_said_before_a_model_is_unpacked(shared):
    found = as_nobody(sys.executable, "-c", READING, shared / "tiny.gguf", cwd=ROOT, env=os.environ | {"HOME": "/"})
    assert "cannot be written (Permission denied): set XLV_CACHE to another folder" in found.stderr.splitlines()[-1]


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_what_is_written_has_the_modes_that_the_umask_leaves(umask, shared, tmp_path):
    before = os.umask(umask)
    try:
        resolve(str(shared / "tiny.gguf"))
        with cache.whole_file(shared / "cache" / "activations" / "one" / "shard.safetensors") as temporary:
            save_file({"states": np.zeros(3)}, temporary)
        write_private(shared / "cache" / "completions" / "kept.jsonl", "{}\n")
    finally:
        os.umask(before)
    for path in (shared / "cache").rglob("*"):
        expected = 0o777 if path.is_dir() else 0o600 if path.name == "kept.jsonl" else 0o666
        assert oct(path.stat().st_mode & 0o777) == oct(expected & ~umask), path


@pytest.mark.parametrize(("run", "settings"), [(run_study, SETTINGS), (run_control, CONTROL)])
def test_a_home_or_a_folder_that_cannot_be_written_is_said_with_the_way_out_before_a_model_is_read(
    run, settings, tmp_path, saved_model, monkeypatch
):
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("a model was read"))
    with pytest.raises(OSError, match=r"^/proc/none/out cannot be written \(No such file.*\): choose another folder"):
        run(str(saved_model), settings, Path("/proc/none/out"))
    for name in ("XLV_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/proc/none")
    with pytest.raises(OSError, match=r"^/proc/none/.* cannot be written \(No such file.*\): set XLV_CACHE to another"):
        run(str(saved_model), settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_states_that_do_not_fit_are_said_before_the_first_is_read(tiny, monkeypatch):
    texts = {("morality", "en"): ["one", "two"], ("morality", "fr"): ["trois"]}
    cached_activations(tiny(), {("morality", "en"): texts["morality", "en"]})
    monkeypatch.setattr("xlv.models.activations.extract_parts", lambda *_given: pytest.fail("a state was read"))
    asked = []
    monkeypatch.setattr("xlv.models.activations.need_space", lambda *given: asked.append(given) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cached_activations(tiny(), texts)
    assert asked == [(cache.cache_root() / "activations", 1 * 4 * 32 * 4, "reading tiny-llama")]


def test_a_disk_without_locks_stores_weights_and_a_batch_says_that_it_needs_one(shared, tmp_path, monkeypatch):
    def flock(_file, _what):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    assert Path(resolve(str(shared / "tiny.gguf")).location).is_dir()
    assert os.environ["HDF5_USE_FILE_LOCKING"] == "FALSE"  # of netCDF files
    (tmp_path / "spec.yaml").write_text("matrix: {models: [smollm2-135m]}\nnotebooks: [q1_recognition]\n")
    spec = read_spec(tmp_path / "spec.yaml")
    with pytest.raises(ValueError, match=f"^no lock in {spec.out} .No locks available.: choose `out` on a disk that"):
        conduct(spec, plan(spec), print)

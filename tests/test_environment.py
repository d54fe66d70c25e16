import os
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lowest import lowest
from scripts.renew_locks import entries
from xlv import __version__

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"


def locked(*names: str) -> dict[str, tuple[str, str, bool]]:
    """Of each requirement in locks: release, marker, and whether it has hashes."""
    found = {}
    for name in names:
        for entry in entries((LOCKS / f"{name}.txt").read_text(encoding="utf-8")):
            first, *hashes = entry.replace(" \\\n", "\n").split("\n")
            requirement = Requirement(first)
            (pin,) = requirement.specifier
            whole = bool(hashes) and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)
            found[requirement.name] = (pin.operator + pin.version, str(requirement.marker or ""), whole)
    return found


BASE, TORCH = locked("base"), locked("torch")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["base", "cuda", "quality", "uv"])
def test_each_lock_pins_releases_with_hashes_and_builds_nothing(name):
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    assert "--only-binary :all:" in text.splitlines() and "://" not in text
    lock = locked(name)
    assert len(lock) == sum("==" in line.split(";")[0] for line in text.splitlines()) > 0
    assert [one for one, (pin, _, hashes) in lock.items() if not pin.startswith("==") or not hashes] == []


def test_what_is_required_is_locked_at_a_release_that_will_do():
    pins = locked("base", "quality", "torch")
    project = PROJECT["project"]
    wanted = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    for requirement in map(Requirement, wanted + sum(project["optional-dependencies"].values(), [])):
        if requirement.name != "xlv":
            assert pins[canonicalize_name(requirement.name)][0].removeprefix("==") in requirement.specifier, requirement


def test_all_that_xlv_leads_to_is_installed_as_locked():
    lock = BASE | {name: (pin, marker, True) for name, (pin, marker, _) in TORCH.items()} | locked("cuda")
    waiting, seen = ["xlv", "setuptools"], set()
    while waiting:
        if (name := canonicalize_name(waiting.pop())) in seen:
            continue
        seen.add(name)
        found = distribution(name)
        if name != "xlv":
            assert f"=={found.version.split('+')[0]}" == lock[name][0], (
                f"{name}: `make install` installs what is locked"
            )
            assert lock[name][2], name
        for requirement in map(Requirement, found.requires or []):
            extras = ["", "test", "batch"] if name == "xlv" else [""]
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(requirement.name)
    assert len(seen) > 100 and {"torch", "pytest", "distributed", "sphinx-mathjax-offline"} <= seen


def test_the_makefile_installs_what_is_locked_and_conda_by_the_makefile():
    command = ["make", "--dry-run", "--always-make", "install", ".venv/quality", "locks"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    asked = {line.split("--no-deps ")[-1] for line in done.stdout.splitlines() if " pip install " in line}
    hashed = {f"--require-hashes --requirement requirements/{name}.txt" for name in ("base", "cuda", "quality", "uv")}
    assert asked == hashed | {"--requirement requirements/torch.txt", "--no-build-isolation --editable ."}
    conda = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert re.search(r'^# +make install BIN="\$CONDA_PREFIX/bin"$', conda, flags=re.MULTILINE)
    assert yaml.safe_load(conda)["dependencies"] == ["python=3.11", "make", "pip"]


def test_the_lowest_releases_are_the_bounds_of_all_that_is_required():
    project = PROJECT["project"]
    wanted = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    bounds = {requirement.name: requirement.specifier for requirement in map(Requirement, lowest(PROJECT))}
    for requirement in map(Requirement, wanted + sum(project["optional-dependencies"].values(), [])):
        if requirement.name != "xlv":
            (pin,) = bounds.pop(requirement.name)
            assert pin.operator == "==" and f">={pin.version}" in str(requirement.specifier)
    assert not bounds


def test_actions_are_pinned_by_commit():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
        assert uses and [one for one in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)] == []


def test_every_file_of_the_package_is_installed_with_it():
    setuptools = PROJECT["tool"]["setuptools"]
    installed = set()
    for package, patterns in setuptools["package-data"].items():
        folder = ROOT / package.replace(".", "/")
        for pattern in patterns:
            found = set(folder.glob(pattern))
            assert found, f"{package}: no file is named {pattern}"
            installed |= found
    files = {path for path in (ROOT / "xlv").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert files <= installed


def test_the_citation_names_this_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    assert f"version = {{{__version__}}}" in (ROOT / "book" / "references.md").read_text(encoding="utf-8")

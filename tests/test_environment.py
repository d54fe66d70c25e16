import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from xlv import __version__

ROOT = Path(__file__).parents[1]


def test_conda_and_pip_install_the_same_releases():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
    assert [line for line in conda if not line.startswith("--")] == pins and len(pins) > 100
    assert all("==" in pin for pin in pins)


def test_what_is_required_is_pinned_at_a_release_that_will_do():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        pins[canonicalize_name(name)] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    for requirement in map(Requirement, wanted):
        if requirement.name != "xlv":
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_every_file_of_the_package_is_installed_with_it():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
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

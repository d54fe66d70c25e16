from pathlib import Path

import yaml

from xlv import __version__

ROOT = Path(__file__).parents[1]


def test_conda_and_pip_install_the_same_releases():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
    assert [line for line in conda if not line.startswith("--")] == pins and len(pins) > 100
    assert all("==" in pin for pin in pins)


def test_the_citation_names_this_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    assert f"version = {{{__version__}}}" in (ROOT / "book" / "references.md").read_text(encoding="utf-8")

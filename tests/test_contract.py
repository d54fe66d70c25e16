"""The floors of the house: imports point downwards, lazy ones included. The contract stands in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import xlv

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache', '--no-logo'])"


def lint(folder: Path) -> tuple[int, str]:
    """Exit status and report of import-linter on the package and the contract in a folder; nothing is imported."""
    done = subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def run(program: str) -> str:
    """What a program prints in a fresh process."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with the package's code and the contract, to plant violations in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in (ROOT / "xlv").rglob("*.py"):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_every_import_keeps_to_the_contract():
    status, report = lint(ROOT)
    assert status == 0, report


DOWNWARDS, CIRCLE = "Imports point downwards", "No room imports in a circle"
TORCH, DRAWS = "Arithmetic, results and reports do without PyTorch", "The report draws and phrases what others computed"


@pytest.mark.parametrize(
    ("module", "planted", "contract", "named"),
    [
        ("statistics/vectors", "import xlv.study", DOWNWARDS, "xlv.statistics.vectors -> xlv.study"),
        ("settings", "def f():\n    from xlv.cli import main", DOWNWARDS, "xlv.settings -> xlv.cli"),
        ("corpus/pairs", "def f():\n    import xlv.models.load", DOWNWARDS, "xlv.corpus.pairs -> xlv.models.load"),
        ("questions/common", "import xlv.control.refusal", DOWNWARDS, "xlv.questions.common -> xlv.control.refusal"),
        ("control/refusal", "import xlv.questions.common", DOWNWARDS, "xlv.control.refusal -> xlv.questions.common"),
        ("attic", "", DOWNWARDS, "attic"),
        ("models/model", "import xlv.models.activations", CIRCLE, "No cycles are allowed in xlv.models"),
        ("settings", "import torch", TORCH, "xlv.settings -> torch"),
        ("statistics/vectors", "def f():\n    import transformers", TORCH, "xlv.statistics.vectors -> transformers"),
        (
            "report/formats",
            "def f():\n    import xlv.models.presets",
            DRAWS,
            "xlv.report.formats -> xlv.models.presets",
        ),
        ("report/formats", "import xlv.study", DRAWS, "xlv.report.formats -> xlv.study"),
    ],
)
def test_a_planted_violation_is_found_and_named(copy, module, planted, contract, named):
    with open(copy / "xlv" / f"{module}.py", "a", encoding="utf-8") as stream:
        stream.write(f"\n{planted}\n")
    status, report = lint(copy)
    assert status == 1 and f"{contract} BROKEN" in report and named in report, report


def test_an_import_for_type_checking_alone_is_none(copy):
    before = lint(copy)
    with open(copy / "xlv" / "settings.py", "a", encoding="utf-8") as stream:
        stream.write("\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import xlv.models.load\n")
    status, report = lint(copy)
    assert status == before[0] and "xlv.settings -> xlv.models" not in report


def test_importing_the_package_imports_nothing_heavy():
    assert run("import sys, xlv; print(*{'torch', 'transformers', 'pandas', 'numpy'} & {*sys.modules})").strip() == ""


@pytest.mark.parametrize("room", ["questions", "statistics", "report", "results", "settings"])
def test_a_room_of_arithmetic_is_imported_without_pytorch(room):
    """What import-linter reads from the sources, seen in a process: libraries could bring PyTorch along, too."""
    program = (
        "import importlib, pkgutil, sys; room = importlib.import_module('xlv.ROOM'); "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(getattr(room, '__path__', []), 'xlv.ROOM.')]; "
        "print(*{'torch', 'transformers'} & {*sys.modules})"
    )
    assert run(program.replace("ROOM", room)) == ""


def test_every_name_of_the_public_face_is_there():
    for name in xlv.__all__:
        assert getattr(xlv, name) is not None
    with pytest.raises(AttributeError, match="it offers load_model"):
        xlv.nothing  # noqa: B018

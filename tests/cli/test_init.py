import subprocess
import sys

import pytest

from tests.cli.command import here
from xlv import __version__

LOADED = (
    "import sys; from xlv.cli import app; app({arguments}, standalone_mode=False); "
    "print('loaded:', *(name for name in ('torch', 'transformers', 'pandas', 'matplotlib') if name in sys.modules))"
)


def test_every_command_is_listed_with_a_line_on_what_it_does():
    shown = here("--help").stdout
    for name in ("models", "run", "steer", "book", "batch", "audit", "import-results", "cache", "data"):
        assert any(line.split("│")[1].split()[0] == name for line in shown.splitlines() if line.count("│") == 2), name


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["run", "--help"]])
def test_help_and_the_list_of_models_load_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_the_version_is_said():
    assert here("--version").stdout == f"xlv {__version__}\n"

import os
import subprocess
import sys

import pytest
from rich.console import Console

from tests.cli.command import here, refused, xlv
from xlv import __version__
from xlv.cli import terminal

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


@pytest.mark.parametrize("command", [[], ["run"], ["cache"], ["cache", "clear"], ["data", "check"]])
def test_help_has_a_short_name_everywhere(command):
    assert here(*command, "-h").stdout == here(*command, "--help").stdout != ""


def test_verbose_says_where_an_error_arose_and_may_stand_behind_the_command():
    wrong = "cache", "clear", "everything"
    for given in (["-v", *wrong], [*wrong, "--verbose"]):
        told = xlv(*given).stderr
        assert "Traceback" in told and "in clear" in told and "\nerror: unknown part" in told
    assert "unknown part" in refused(xlv(*wrong, "-q"))


def test_quiet_and_verbose_hold_for_one_command(monkeypatch):
    for given, verbosity in ((["-q"], -1), (["-v"], 1), ([], 0)):
        monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
        here(*given, "cache", "list")
        assert terminal.verbosity == verbosity
        assert os.environ["TRANSFORMERS_VERBOSITY"] == ("info" if verbosity == 1 else "error")


def test_a_terminal_of_another_alphabet_gets_a_table_instead_of_an_error():
    done = xlv("models", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "smollm2-135m" in done.stdout and done.stderr == ""


def test_the_first_sign_of_a_run_comes_before_libraries_are_loaded(monkeypatch):
    monkeypatch.setattr(terminal, "err", Console(stderr=True, force_terminal=True, no_color=True))
    monkeypatch.setattr("xlv.edition.book.audit_model", lambda *_a, **_k: pytest.fail("too late"))
    told = here("audit", "no-such-model", "--profile", "huge").stderr
    assert told.startswith("audit: starting") and "unknown profile" in told
    assert "starting" not in here("-q", "audit", "no-such-model", "--profile", "huge").stderr

"""The command line, in a process of its own or, faster, in this one."""

import os
import subprocess
import sys

from typer.testing import CliRunner


def xlv(*arguments, **environment):
    """What a command returns and prints, run as a user runs it."""
    command = [sys.executable, "-m", "xlv.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | environment)


def here(*arguments):
    """The same within this process, where things can be replaced; an exception that is no exit is raised."""
    from xlv.cli import app

    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(result) -> str:
    """The one line on standard error of a command that says what its user did wrong."""
    assert getattr(result, "returncode", getattr(result, "exit_code", None)) == 2, result
    assert "Traceback" not in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr

import re

import pytest
import typer
from rich.console import Console

from tests.cli.command import refused
from xlv.cli import terminal
from xlv.cli.terminal import OneLineErrors, Ticker, at, say, show


def test_a_revision_is_part_of_a_model_s_name():
    assert at("org/model", "v1.0") == "org/model@v1.0" and at("org/model", "") == "org/model"


@pytest.fixture
def run():
    """Run a command that raises something."""

    def invoke(error):
        app = typer.Typer(cls=OneLineErrors)

        @app.command()
        def fail():
            raise error

        @app.command()
        def other():
            pass

        return typer.testing.CliRunner().invoke(app, ["fail"])

    return invoke


@pytest.mark.parametrize("error", [ValueError("a [bold] fault"), OSError("a [bold] fault")])
def test_what_a_user_did_wrong_ends_in_one_line_and_status_2(run, error):
    assert refused(run(error)) == "error: a [bold] fault\n"


def test_an_interrupt_says_that_nothing_is_lost(run):
    result = run(KeyboardInterrupt())
    assert result.exit_code == 130 and "what was computed is kept" in result.stderr


def test_a_fault_of_the_program_keeps_its_traceback(run):
    assert isinstance(run(RuntimeError("ours")).exception, RuntimeError)


def test_a_reader_who_has_had_enough_is_no_error(run):
    assert "error" not in run(BrokenPipeError()).output


def test_a_line_stays_whole_however_long(capsys):
    say("a/path/" * 60 + "[end]")
    assert capsys.readouterr().out == "a/path/" * 60 + "[end]\n"


def test_a_table_off_a_terminal_is_as_wide_as_its_rows(capsys):
    show(["name", "text"], [("one", "x" * 150), ("two", "y")])
    shown = capsys.readouterr().out
    assert "x" * 150 in shown and len({len(line) for line in shown.splitlines()}) == 1


def test_progress_off_a_terminal_is_said_at_the_start_of_a_step_every_ten_seconds_and_at_its_end(monkeypatch, capsys):
    seconds = iter([100, 101, 105, 115, 120, 121])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(seconds))
    ticker = Ticker()
    for done in (0, 1, 2, 3, 4):
        ticker("reading", done, 4)
    ticker("likelihood", 0, 2)
    assert capsys.readouterr().err.splitlines() == [
        "reading: 0 of 4",
        "reading: 3 of 4, about 5 s left",
        "reading: 4 of 4 in 20 s",
        "likelihood: 0 of 2",
    ]


def test_progress_stands_within_the_steps_that_it_is_part_of(capsys):
    ticker = Ticker()
    for word in (("models", 0, 2), ("reading", 0, 2), ("reading", 2, 2), ("models", 1, 2), ("reading", 0, 2)):
        ticker(*word)
    assert capsys.readouterr().err.splitlines() == [
        "models: 0 of 2",
        "models: 0 of 2 · reading: 0 of 2",
        "models: 0 of 2 · reading: 2 of 2 in 0 s",
        "models: 1 of 2 · reading: 0 of 2",
    ]


def test_progress_is_not_said_to_those_who_want_quiet(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "verbosity", -1)
    Ticker()("reading", 0, 2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_on_a_terminal_fits_or_drops_its_lines(width, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "out", Console(width=width, force_terminal=True, no_color=True))
    columns = [f"a name {k}" for k in range(10)]
    show(columns, [["[0.1]"] * 10])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width and ("│" in lines[-2]) == (width == 200)
    assert lines[-1 if width == 80 else -2].count("[0.1]") == 10  # no word is cut, and none is taken for markup

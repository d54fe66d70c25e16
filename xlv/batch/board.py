"""The live table of a batch: what is running, done and failed, and the time left; plain lines off a terminal."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xlv.batch.cost import estimate
from xlv.batch.plan import Run

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
_SHOWN = 12  # rows of a kind; more would not fit a screen


@dataclass
class _Row:
    state: str = WAITING
    begun: float = 0.0
    seconds: float = 0.0
    note: str = ""


class Board:
    """Shows the state of runs on a console; `expected` are the seconds each may take, None where unknown."""

    def __init__(self, runs: Sequence[Run], expected: Mapping[str, float | None], console: Console) -> None:
        self.console, self.expected = console, expected
        self.rows = {run.name: _Row() for run in runs}
        self.workers, self.obstacle = 1, ""
        self.live = Live(console=console, get_renderable=self._table, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def mark(self, name: str, state: str, note: str = "") -> None:
        """Put a run into a state, and say so."""
        row, now = self.rows[name], time.monotonic()
        if state == RUNNING:
            row.begun = now
        elif row.state == RUNNING:
            row.seconds = now - row.begun
        row.state, row.note = state, note
        took = f" in {duration(row.seconds)}" if state in (DONE, FAILED) and row.seconds else ""
        self.say(f"{state}: {name}{took}{f': {note}' if note else ''} ({self.summary()})")

    def skip(self, names: Sequence[str]) -> None:
        """Put runs that were done before into that state, and say how many."""
        for name in names:
            self.rows[name].state = DONE
        if names:
            self.say(f"done before: {len(names)} of {len(self.rows)} runs")

    def say(self, text: str) -> None:
        """One line; on a terminal above the table."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def refresh(self, workers: int, obstacle: str) -> None:
        """Draw the table anew, on a terminal; a new obstacle, what keeps runs waiting, is said in a line of its own."""
        self.workers = workers
        if obstacle and obstacle != self.obstacle:
            self.say(f"waiting: {obstacle}")
        self.obstacle = obstacle
        if self.console.is_terminal:
            self.live.refresh()

    def summary(self) -> str:
        """Counts, and the time left if anything tells it."""
        counts = {state: sum(row.state == state for row in self.rows.values()) for state in (DONE, RUNNING, FAILED)}
        text = f"{counts[DONE]} of {len(self.rows)} done, {counts[RUNNING]} running, {counts[FAILED]} failed"
        left = self.left()
        return text if left is None else f"{text}, about {duration(left)} left"

    def left(self) -> float | None:
        """Seconds that remain, by what was expected and how far off that was so far; None where nothing is known."""
        ended = [(name, row.seconds) for name, row in self.rows.items() if row.state == DONE and row.seconds]
        done = [(seconds, self.expected[name]) for name, seconds in ended]
        known = [(seconds, guess) for seconds, guess in done if guess]
        slower = sum(s for s, _ in known) / sum(g for _, g in known) if known else 1.0
        usual = sum(s for s, _ in done) / len(done) if done else None
        now, total, still = time.monotonic(), 0.0, 0
        for name, row in self.rows.items():
            if row.state not in (WAITING, RUNNING):
                continue
            guess = self.expected[name] * slower if self.expected[name] else usual
            if guess is None:
                return None
            still += 1
            total += max(0.0, guess - (now - row.begun if row.state == RUNNING else 0.0))
        return total / max(1, min(self.workers, still)) if total else None

    def _table(self) -> Table:
        table = Table(title=self.summary(), title_justify="left")
        for heading in ("run", "state", "time", "note"):
            table.add_column(heading, overflow="fold")
        now = time.monotonic()
        for state in (RUNNING, FAILED, WAITING, DONE):
            rows = [(name, row) for name, row in self.rows.items() if row.state == state]
            for name, row in rows[:_SHOWN]:
                spent = now - row.begun if state == RUNNING else row.seconds
                table.add_row(name, state, duration(spent) if spent else "", Text(row.note))
            if len(rows) > _SHOWN:
                table.add_row(f"… {len(rows) - _SHOWN} more", state, "", "")
        return table


def plan_table(runs: Sequence[Run], workers: int) -> Table:
    """The plan: each run with its state, the size of its work, and the time it may take."""
    costs = estimate(runs)
    open_runs = [run for run in runs if not run.record()]
    guesses = [costs[run.name].seconds for run in open_runs]
    total = f"about {duration(sum(guesses) / workers)}" if None not in guesses else "no estimate of the time"
    table = Table(
        title=f"{len(runs)} runs, {len(runs) - len(open_runs)} of them done; {total} for the rest, {workers} at a time",
        title_justify="left",
        caption="Parameters from the weights' files or the model's name; tokens from the texts' bytes.",
        caption_justify="left",
    )
    for heading in ("run", "state", "parameters", "tokens", "time", "from"):
        table.add_column(heading, overflow="fold")
    for run in runs:
        cost = costs[run.name]
        size = "unknown" if cost.parameters is None else f"{cost.parameters / 1e6:,.1f} M"
        spent = "unknown" if cost.seconds is None else duration(cost.seconds)
        state = WAITING if run in open_runs else DONE
        table.add_row(run.name, state, size, f"{cost.tokens:,.0f}", spent, cost.basis)
    return table


def duration(seconds: float) -> str:
    """A length of time for people: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

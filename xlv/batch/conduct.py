"""A batch conducted: runs that are not done are handed out, failed ones tried again, and all of it told."""

import queue
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from xlv.batch.attempt import Job, Outcome
from xlv.batch.board import DONE, FAILED, RUNNING, WAITING, Board
from xlv.batch.cost import Cost, estimate, kind
from xlv.batch.executors import BatchError, Executor, executor
from xlv.batch.plan import Run
from xlv.batch.spec import Spec
from xlv.edition.book import repository

TAKEN_UP = 3  # times that a run is begun anew because its worker or process was killed
_POLL = 1.0  # seconds between looks at what has begun


@dataclass(eq=False)
class _State:
    """A run on its way: retries and losses left, attempts before it was handed out, and those that have begun since."""

    run: Run
    retries: int
    losses: int = TAKEN_UP
    before: int = 0
    begun: int = 0
    outcome: Outcome | None = None


def conduct(
    spec: Spec, runs: Sequence[Run], console: Console, *, workers: int = 0, scheduler: str = ""
) -> dict[str, str]:
    """Make all runs that are not done yet; returns the error of each run that failed in the end, by name.

    A run that fails is tried again as often as the spec says; one whose process or worker was killed is taken up again
    up to three times besides. On any exception, an interrupt too, what is running is ended; done runs stay done.
    Raises BatchError where the executor cannot be had.
    """
    waiting = [run for run in runs if not run.record()]
    costs = estimate(runs)
    board = Board(runs, {name: cost.seconds for name, cost in costs.items()}, console)
    with board:
        board.skip([run.name for run in runs if run.name not in {run.name for run in waiting}])
        if not waiting:
            return {}
        with _alone(spec.out):
            _lay_out(spec)
            batch = secrets.token_hex(4)
            maker = executor(waiting, batch, workers, scheduler)
            try:
                states = [_State(run, spec.retries) for run in waiting]
                _make(states, maker, batch, spec.out, costs, board)
            finally:
                maker.stop()
    return {state.run.name: state.outcome.error for state in states if not state.outcome.done}


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second command from the folder of a batch at work."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise BatchError(f"another `xlv batch` is at work in {out}: wait for it, or end it") from None


def _lay_out(spec: Spec) -> None:
    """Copy the notebooks into the batch's folder, where every worker finds them, whatever happens to the sources."""
    target = spec.out / "notebooks"
    target.mkdir(parents=True, exist_ok=True)
    for name in spec.notebooks:
        shutil.copy(repository() / "notebooks" / f"{name}.ipynb", target)


def _make(
    states: Sequence[_State], maker: Executor, batch: str, out: Path, costs: Mapping[str, Cost], board: Board
) -> None:
    ended: queue.SimpleQueue[tuple[_State, Outcome]] = queue.SimpleQueue()

    def submit(state: _State) -> None:
        state.before, state.begun = len(state.run.attempts()), 0
        work = costs[state.run.name].work
        job = Job(state.run, out, batch, {"kind": kind(state.run), "work": work})
        maker.submit(job, lambda outcome: ended.put((state, outcome)))

    waiting = list(states)
    while any(state.outcome is None for state in states):
        for state in list(waiting):
            if maker.room(state.run):
                waiting.remove(state)
                submit(state)
        try:
            state, outcome = ended.get(timeout=_POLL)
        except queue.Empty:
            _look([state for state in states if state.outcome is None and state not in waiting], board)
            hindered = next(filter(None, (maker.obstacle(state.run) for state in waiting)), "")
            board.refresh(maker.workers(), hindered)
            continue
        if outcome.done:
            state.outcome = outcome
            board.mark(state.run.name, DONE)
        elif again := _again(state, outcome):
            board.mark(state.run.name, WAITING, f"{outcome.error}; {again}")
            waiting.append(state)
        else:
            state.outcome = outcome
            board.mark(state.run.name, FAILED, outcome.error)


def _again(state: _State, outcome: Outcome) -> str:
    """Why a run gets another attempt; empty if it gets none. One that was lost before it began costs nothing."""
    if outcome.lost:
        state.losses -= len(state.run.attempts()) > state.before
        return "taken up again" if state.losses >= 0 else ""
    state.retries -= 1
    return "tried again" if state.retries >= 0 else ""


def _look(submitted: Sequence[_State], board: Board) -> None:
    """Mark the runs that have begun, or begun again."""
    for state in submitted:
        begun = len(state.run.attempts()) - state.before
        if begun > state.begun:
            board.mark(state.run.name, RUNNING, "taken up again: its worker died" if begun > 1 else "")
        state.begun = begun

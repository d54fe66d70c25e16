"""The bench's side of the protocol: a contender in a process of its own, asked in lines of JSON."""

import json
import os
import queue
import subprocess
import tempfile
import threading
from typing import Self

from benchmarks.contenders import HERE, ROOT, Contender


class WorkerError(RuntimeError):
    """A contender that reported an error, died or took too long; the message says which."""


class Worker:
    """A contender's process, started at once and ended by `close` or by leaving the context."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.name = contender.name
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        environment = {**inherited, **offline, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        if not contender.peer:
            environment["PYTHONPATH"] = str(ROOT)  # peers see nothing of xlv
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [str(contender.python), str(HERE / "workers" / "serve.py"), contender.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")  # the process is gone

    def ask(self, what: str, *, timeout: float = 900, **fields) -> dict:
        """The answer to a request; WorkerError for an answer that is not ok, a dead process or none in time."""
        try:
            self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            self._process.kill()
            raise WorkerError(f"{self.name}: no answer to {what!r} within {timeout:.0f} s") from None
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"{self.name}: ended with status {self._process.wait()}: {self._last_line()}")
        answer = json.loads(line)
        if not answer["ok"]:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"

    def close(self) -> None:
        """End the process, gently first."""
        try:
            self._process.stdin.write('{"do": "quit"}\n')
            self._process.stdin.close()
            self._process.wait(timeout=10)
        except (BrokenPipeError, OSError, ValueError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

"""The processes of an attempt: a kernel is in a session of its own, so all are found by a mark that they inherit."""

import os
from pathlib import Path

import psutil

MARK = "XLV_ATTEMPT"  # in the environment of an attempt's processes: its folder


def end_all(attempt: Path) -> None:
    """Kill all processes of an attempt but the calling one."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(attempt):
                process.kill()
        except psutil.Error:
            continue  # it has ended meanwhile, or belongs to someone else

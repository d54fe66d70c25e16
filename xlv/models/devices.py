"""GPUs of this machine, claimed by processes that each need some for themselves."""

import getpass
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


@contextmanager
def claimed_gpus(count: int, *, poll: float = 0.5, given_up: Callable[[], bool] = lambda: False) -> Iterator[list[str]]:
    """Claim `count` of the visible GPUs and yield their names, waiting until so many are free.

    Claims are locks on files, which the system drops when a process ends, however it ends. They bind the processes of
    one user that claim. Raises ValueError if the machine has fewer, InterruptedError once `given_up` says so.
    """
    names = visible_gpus() if count else []
    if len(names) < count:
        raise ValueError(f"expected {count} GPUs, this worker sees {len(names)}: ask for fewer, or for another worker")
    folder = Path(tempfile.gettempdir()) / f"xlv-gpus-{getpass.getuser()}"
    folder.mkdir(exist_ok=True)
    while not given_up():
        with ExitStack() as locks:
            taken = (name for name in names if _claim(folder / name.replace("/", "-"), locks))
            free = list(islice(taken, count))
            if len(free) == count:
                yield free
                return
        time.sleep(poll)
    raise InterruptedError("given up before a GPU was free")


def _claim(path: Path, locks: ExitStack) -> bool:
    """Lock a file until `locks` are closed; False if another process has it."""
    try:
        locks.enter_context(FileLock(path, timeout=0))
    except Timeout:
        return False
    return True

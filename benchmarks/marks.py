"""What every handler in these benchmarks writes down: when the first task began, when the last one ended, how many.

Each thread has a file of its own in `BENCH_MARKS`, mapped into memory, so that a mark costs less than a microsecond,
the same for every contestant, and survives any end of the process. Standard library only: peers import this too.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import NamedTuple

DIRECTORY = "BENCH_MARKS"
_LAYOUT = struct.Struct("ddq")
_own = threading.local()


class Seen(NamedTuple):
    """What the marks of all threads say: times in seconds since the epoch, and a number of tasks."""

    first: float
    last: float
    tasks: int

    @property
    def seconds(self) -> float:
        return self.last - self.first


def mark() -> None:
    """One task has run in this thread."""
    now = time.time()
    if getattr(_own, "pid", None) != os.getpid():  # the first time here, or after a fork
        path = Path(os.environ[DIRECTORY], f"{os.getpid()}-{threading.get_ident()}")
        path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            _own.map = mmap.mmap(file.fileno(), _LAYOUT.size)
        _own.first, _own.count, _own.pid = now, 0, os.getpid()
    _own.count += 1
    _LAYOUT.pack_into(_own.map, 0, _own.first, now, _own.count)


def seen(directory: Path) -> Seen:
    """The marks in a directory, put together."""
    found = [
        _LAYOUT.unpack(data) for path in directory.iterdir() if len(data := path.read_bytes()) == _LAYOUT.size
    ]
    found = [entry for entry in found if entry[2]]
    if not found:
        return Seen(0, 0, 0)
    return Seen(min(e[0] for e in found), max(e[1] for e in found), sum(e[2] for e in found))

"""What every handler in these benchmarks writes down: when the first task began, when the last one ended, how many.

Each thread has a file of its own in `BENCH_MARKS`, mapped into memory, so that a mark costs less than a microsecond,
the same for every contestant, and survives any end of the process. Where latency is measured (`BENCH_SCHEDULE`), a task's
argument is when it was due, and a second file has that and the time of each mark. Standard library only: peers import this too.
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
SCHEDULE = "BENCH_SCHEDULE"
_LAYOUT = struct.Struct("ddq")
_SAMPLE = struct.Struct("dd")
_LATE = ".late"
_own = threading.local()


class Seen(NamedTuple):
    """What the marks of all threads say: times in seconds since the epoch, and a number of tasks."""

    first: float
    last: float
    tasks: int

    @property
    def seconds(self) -> float:
        return self.last - self.first


def mark(argument: str = "") -> None:
    """One task has run in this thread; its argument is wanted where latency is measured."""
    now = time.time()
    if getattr(_own, "pid", None) != os.getpid():  # the first time here, or after a fork
        path = Path(os.environ[DIRECTORY], f"{os.getpid()}-{threading.get_ident()}")
        path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            _own.map = mmap.mmap(file.fileno(), _LAYOUT.size)
        _own.first, _own.count, _own.pid = now, 0, os.getpid()
        _own.late = path.with_suffix(_LATE).open("ab", 0) if SCHEDULE in os.environ else None
    _own.count += 1
    _LAYOUT.pack_into(_own.map, 0, _own.first, now, _own.count)
    if _own.late:
        _own.late.write(_SAMPLE.pack(float(argument), now))


def seen(directory: Path) -> Seen:
    """The marks in a directory, put together."""
    paths = (path for path in directory.iterdir() if path.suffix != _LATE)
    found = [_LAYOUT.unpack(data) for path in paths if len(data := path.read_bytes()) == _LAYOUT.size]
    found = [entry for entry in found if entry[2]]
    if not found:
        return Seen(0, 0, 0)
    return Seen(min(e[0] for e in found), max(e[1] for e in found), sum(e[2] for e in found))


def samples(directory: Path) -> list[tuple[float, float]]:
    """When each task was due, and when it was marked, in the order in which they were due."""
    return sorted(
        sample for path in directory.glob(f"*{_LATE}") for sample in _SAMPLE.iter_unpack(path.read_bytes())
    )

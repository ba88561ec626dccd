"""The work that every contestant gets: tasks of 80 bytes that do nothing. Standard library only: peers import this."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from benchmarks.marks import SCHEDULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TASK_BYTES = 80
_AHEAD = 0.1  # seconds from the reading of a schedule to its first task


def tasks(count: int, type: str = "noop") -> Iterator[bytes]:
    """Tasks as Warrener publishes them, each a line of JSON of 80 bytes."""
    for n in range(count):
        yield json.dumps(task(n, type), separators=(",", ":")).encode()


def task(n: int, type: str = "noop") -> dict[str, object]:
    return {"id": f"task-{n:07}", "type": type, "data": {"n": argument(n)}, "priority": 5}


def argument(n: int) -> str:
    """The only argument of the n-th task; with what Warrener writes around it, 80 bytes."""
    return f"{n:016}"


def due() -> Iterator[tuple[str, float]]:
    """Each task's argument, and when it is to be enqueued, in seconds since the epoch: at once, unless there is a schedule.

    The schedule is a rate, for how many seconds, and how many tasks come at once in the middle: `500:4:1000`. Then the
    argument is when the task was due, so that an enqueuer that is late adds to its latency.
    """
    if SCHEDULE not in os.environ or not os.environ[SCHEDULE]:
        yield from ((argument(n), 0.0) for n in range(count()))
        return
    rate, seconds, burst = map(float, os.environ[SCHEDULE].split(":"))
    start = time.time() + _AHEAD
    steady = [start + n / rate for n in range(int(rate * seconds))]
    for at in sorted([*steady, *[start + seconds / 2] * int(burst)]):
        yield f"{at:.6f}", at


def enqueue_with(one: Callable[[str], object]) -> None:
    """Enqueue as many tasks as the harness asks for, one by one, and tell it the seconds."""

    def all_of_them() -> None:
        for text, at in due():
            if (left := at - time.time()) > 0:
                time.sleep(left)
            one(text)

    tell(timed(all_of_them))


def count() -> int:
    return int(os.environ["BENCH_TASKS"])


def url() -> str:
    return os.environ["BENCH_URL"]


def timed(enqueue: Callable[[], object]) -> float:
    start = time.perf_counter()
    enqueue()
    return time.perf_counter() - start


def tell(seconds: float) -> None:
    print(f"seconds {seconds}", flush=True)

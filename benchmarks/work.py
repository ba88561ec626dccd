"""The work that every contestant gets: tasks of 80 bytes that do nothing. Standard library only: peers import this."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TASK_BYTES = 80


def tasks(count: int, type: str = "noop") -> Iterator[bytes]:
    """Tasks as Warrener publishes them, each a line of JSON of 80 bytes."""
    for n in range(count):
        yield json.dumps(task(n, type), separators=(",", ":")).encode()


def task(n: int, type: str = "noop") -> dict[str, object]:
    return {"id": f"task-{n:07}", "type": type, "data": {"n": argument(n)}, "priority": 5}


def argument(n: int) -> str:
    """The only argument of the n-th task; with what Warrener writes around it, 80 bytes."""
    return f"{n:016}"


def enqueue_with(one: Callable[[str], object]) -> None:
    """Enqueue as many tasks as the harness asks for, one by one, and tell it the seconds."""
    tell(timed(lambda: consume(one(argument(n)) for n in range(count()))))


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


def consume(items: Iterable[object]) -> None:
    for _ in items:
        pass

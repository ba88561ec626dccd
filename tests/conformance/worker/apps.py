"""Handlers that end in every way a handler can end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - annotations are read
from decimal import Decimal  # noqa: TC003 - as above
from enum import Enum
from pathlib import Path
from uuid import UUID  # noqa: TC003 - as above

from warrener import App, PermanentError, Task, TransientError
from warrener.errors import InvalidTask

app = App(base=0.05)


class Odd:
    """What JSON cannot carry."""


class Unit(Enum):
    PIXEL = "px"


@dataclass
class Size:
    width: int
    unit: Unit = Unit.PIXEL


@app.task
def typed(
    *, path: Path, size: Size, price: Decimal, when: datetime, key: UUID, raw: bytes, copies: int | None = 2
) -> dict[object, object]:
    kinds = [type(given).__name__ for given in (path, size, size.unit, price, when, key, raw, copies)]
    return {"kinds": kinds, 1: [path, size, price * (copies or 1), when, key, raw], "loss": float("nan")}


@app.task
def colliding() -> object:
    return {1: "a", "1": "b"}


@app.task
def echo(number: int = 0, text: str = "") -> list[object]:
    return [number, text]


@app.task
def whole(task: Task) -> dict[str, object]:
    return {"id": task.id, "type": task.type, "data": task.data, "priority": task.priority}


@app.task
async def sleep_async(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@app.task
def thread_name() -> str:
    return threading.current_thread().name


@app.task
def fail(message: str = "no luck") -> None:
    raise ValueError(message)


@app.task(retries=1)
def publish_badly(kind: str) -> None:
    raise InvalidTask(f"{kind} has no type")


@app.task(retries=1)
async def publish_badly_async(kind: str) -> None:
    raise InvalidTask(f"{kind} has no type")


@app.task
def fail_until(file: str, times: int) -> int:
    """Fails so many times, then returns how often it was called."""
    path = Path(file)
    with path.open("a") as lines:
        lines.write("called\n")
    calls = len(path.read_text().splitlines())
    if calls <= times:
        raise ValueError(f"call {calls}")
    return calls


@app.task
def permanent() -> None:
    raise PermanentError("never")


@app.task(permanent=(KeyError,))
def permanent_by_type() -> None:
    raise KeyError("never")


@app.task
def after(seconds: float, file: str) -> str:
    path = Path(file)
    if path.exists():
        return "done"
    path.write_text("was here")
    raise TransientError("later", after=seconds)


@app.task(timeout=0.3, retries=1)
def hang() -> None:
    time.sleep(3600)


@app.task(retries=1)
def exit_(code: int = 3) -> None:
    os._exit(code)


@app.task(retries=0)
def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(retries=0)
def segfault() -> None:
    ctypes.string_at(0)


@app.task
def odd() -> object:
    return Odd()


@app.task
def wait_for(file: str, log: str) -> int:
    """Says that it runs, then waits for a file to appear."""
    with Path(log).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
    while not Path(file).exists():
        time.sleep(0.01)
    return os.getpid()


@app.task
def long(size: int) -> str:
    return "x" * size

"""Handlers that write down each of their starts, one file per task."""

from __future__ import annotations

import os
import time
from pathlib import Path

from warrener import App, Task

app = App(retries=3, base=0.05)


@app.task
def nap(task: Task, log: str, seconds: float = 0.0) -> int:
    number = _start(task, log)
    time.sleep(seconds)
    return number


@app.task
def fail(task: Task, log: str, times: int) -> int:
    number = _start(task, log)
    if number <= times:
        raise ValueError(f"start {number}")
    return number


@app.task
def crash(task: Task, log: str, times: int) -> int:
    number = _start(task, log)
    if number <= times:
        os._exit(7)
    return number


@app.task(timeout=2)
def hang(task: Task, log: str, times: int) -> int:
    number = _start(task, log)
    if number <= times:
        time.sleep(3600)
    return number


@app.task
def grow(task: Task, log: str) -> int:
    bytearray(32 * 1024 * 1024)
    return _start(task, log)


@app.task
def wait_for(task: Task, log: str, gate: str) -> int:
    number = _start(task, log)
    while not Path(gate).exists():
        time.sleep(0.01)
    return number


def _start(task: Task, log: str) -> int:
    with (Path(log) / task.id).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
    return len((Path(log) / task.id).read_text().splitlines())

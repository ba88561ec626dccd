"""As in `counting_app`, but async."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from warrener import App, Task

app = App(retries=3, base=0.05)


@app.task
async def nap(task: Task, log: str, seconds: float = 0.0) -> int:
    number = _start(task, log)
    await asyncio.sleep(seconds)
    return number


@app.task
async def crash(task: Task, log: str, times: int) -> int:
    number = _start(task, log)
    if number <= times:
        os._exit(7)
    return number


@app.task(timeout=2)
async def hang(task: Task, log: str, times: int) -> int:
    number = _start(task, log)
    if number <= times:
        await asyncio.sleep(3600)
    return number


def _start(task: Task, log: str) -> int:
    with (Path(log) / task.id).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
    return len((Path(log) / task.id).read_text().splitlines())

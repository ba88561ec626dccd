"""Async handlers, and a plain one among them, that do what no handler should; `slow` stands by."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time

from warrener import App, Task

app = App(retries=0, base=0.05)
_left: list[asyncio.Task[None]] = []


@app.task(timeout=2)
async def slow(task: Task) -> str:
    await asyncio.sleep(0.05)
    return task.id


@app.task(timeout=1)
async def block_the_loop() -> None:
    time.sleep(3600)  # noqa: ASYNC251


@app.task(timeout=1)
async def hold_the_interpreter() -> None:
    ctypes.PyDLL(None).sleep(3600)


@app.task(timeout=1)
async def swallow_cancellation() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@app.task
async def leave_tasks(task: Task) -> str:
    _left.extend(asyncio.create_task(asyncio.sleep(3600)) for _ in range(10))
    return task.id


@app.task
async def leave_an_exit(task: Task) -> str:
    asyncio.get_running_loop().call_soon(sys.exit)
    return task.id


@app.task
async def stop_the_loop(task: Task) -> str:
    asyncio.get_running_loop().stop()
    return task.id


@app.task
async def call_exit() -> None:
    sys.exit(3)


@app.task
async def close_everything() -> None:
    os.closerange(0, 1000)


@app.task
async def kill_fork_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    await asyncio.sleep(3600)


@app.task
async def replace_the_policy(task: Task) -> str:
    asyncio.set_event_loop_policy(None)
    asyncio.set_event_loop(asyncio.new_event_loop())
    return task.id


@app.task
def raise_stop() -> None:
    raise StopIteration


@app.task
def exit_at_once() -> None:
    os._exit(0)

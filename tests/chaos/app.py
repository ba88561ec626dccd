"""Handlers that log when they begin and end, so that every run of every task can be counted."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from warrener import App, PermanentError, Task

LOG = Path(os.environ["CHAOS_LOG"])
_log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

app = App(base=0.05)


@app.task
def square(task: Task, n: int, seconds: float = 0.01) -> int:
    _tell("begin", task)
    time.sleep(seconds)
    _tell("end", task)
    return n * n


@app.task
def flaky(task: Task, n: int) -> int:
    """Fails once."""
    _tell("begin", task)
    _tell("end", task)
    mark = LOG.with_name(f"{LOG.name}.{task.id}")
    if not mark.exists():
        mark.touch()
        raise ValueError(n)
    return n * n


@app.task
def hopeless(task: Task, n: int) -> int:
    _tell("begin", task)
    _tell("end", task)
    raise PermanentError(str(n))


@app.task
def kills_child(task: Task, n: int) -> int:
    _tell("begin", task)
    os.kill(os.getpid(), signal.SIGSEGV)
    return n


@app.task
def kills_worker(task: Task, n: int) -> int:
    _tell("begin", task)
    fork_server = Path(f"/proc/{os.getppid()}/stat").read_text("utf-8")
    os.kill(int(fork_server.rpartition(") ")[2].split()[1]), signal.SIGKILL)
    return n


def _tell(word: str, task: Task) -> None:
    os.write(_log, f"{word} {task.id} {time.monotonic():.6f}\n".encode())

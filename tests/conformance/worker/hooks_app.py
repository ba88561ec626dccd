"""An app with hooks, all of which write down what they do, and its handlers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from warrener import App, Attempt, PermanentError, SoftTimeout, Stopped, Task

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

app = App(base=0.05)
HOME = Path(os.environ["HOOKS_HOME"])


class Pool:
    """What a child has of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.is_open = True


class Client:
    """What needs a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool


@app.lifespan
def pool() -> Iterator[Pool]:
    note("pool entered")
    if (HOME / "broken").exists():
        raise ValueError("no such pool")
    if (HOME / "deadly").exists():
        os._exit(3)
    if len(notes("pool entered")) <= int(os.environ.get("HOOKS_AWAY", "0")):
        raise ConnectionRefusedError("the pool is away")
    while len(notes("pool entered")) > 1 and len(notes("task")) < int(os.environ.get("HOOKS_LATER", "0")):
        time.sleep(0.01)
    made = Pool()
    yield made
    made.is_open = False
    note("pool left")


@app.lifespan
def client(pool: Pool) -> Iterator[Client]:
    yield Client(pool)
    assert pool.is_open
    note("client left")


@app.middleware
def outer(task: Task, attempt: Attempt, pool: Pool) -> Generator[None, object]:
    if task.data.get("says") == "not at all":
        return
    try:
        seen = yield
    except BaseException as error:
        note_seen(f"outer {task.id} {attempt.number} {type(error).__name__} {pool.is_open}")
        raise
    note_seen(f"outer {task.id} {attempt.number} {seen} {pool.is_open}")


@app.middleware
def inner(task: Task) -> Generator[None, object]:
    says = task.data.get("says")
    if says == "before":
        raise PermanentError("it may not run")
    try:
        note_seen(f"inner {task.id} {(yield)}")
    except ValueError as error:
        if says == "another":
            raise PermanentError("no use") from error
    if says == "after":
        raise ZeroDivisionError
    if says == "twice":
        yield


def see(says: str) -> str:
    note_seen(f"handler {says}")
    if says in ("swallowed", "another"):
        raise ValueError(says)
    return says


app.task(retries=1)(see)


@app.task
def leave(attempt: Attempt) -> int:
    """Works until it is told to stop; the next attempt ends at once."""
    note("leave")
    if len(notes("leave")) > 1:
        return attempt.number
    while not attempt.is_stopping:
        time.sleep(0.01)
    raise Stopped


@app.task(retries=0)
def claim_stop() -> None:
    raise Stopped("nobody wants it")


@app.task(retries=0, soft_timeout=1, timeout=60)  # a busy machine lets it begin its `try` within that
def be_late(makes_do: bool, asks: bool, attempt: Attempt) -> str:
    try:
        assert attempt.time_left is not None
        assert 0 < attempt.time_left < 60
        while not asks or not attempt.is_late:
            time.sleep(0.01)
    except SoftTimeout:
        if not makes_do:
            raise
    else:
        if not makes_do:
            raise SoftTimeout("by itself")
    return "what there is"


@app.task
def use(pool: Pool, number: int, client: Client) -> list[object]:
    note("task")
    return [number, pool.pid == os.getpid(), client.pool is pool and pool.is_open]


def note(what: str) -> None:
    """Write down, for each process, what happened in it."""
    with (HOME / f"{os.getpid()}.log").open("a") as lines:
        lines.write(f"{what}\n")


def note_seen(what: str) -> None:
    with (HOME / "seen").open("a") as lines:
        lines.write(f"{what}\n")


def notes(what: str) -> list[str]:
    """How often that has happened in all of them."""
    return [line for log in HOME.glob("*.log") for line in log.read_text().splitlines() if line == what]

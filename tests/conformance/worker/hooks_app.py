"""An app with hooks, all of which write down what they do, and its handlers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from warrener import App

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    if len(notes("pool entered")) <= int(os.environ.get("HOOKS_AWAY", "0")):
        raise ConnectionRefusedError("the pool is away")
    made = Pool()
    yield made
    made.is_open = False
    note("pool left")


@app.lifespan
def client(pool: Pool) -> Iterator[Client]:
    yield Client(pool)
    assert pool.is_open
    note("client left")


@app.task
def use(pool: Pool, number: int, client: Client) -> list[object]:
    note("task")
    return [number, pool.pid == os.getpid(), client.pool is pool and pool.is_open]


def note(what: str) -> None:
    """Write down, for each process, what happened in it."""
    with (HOME / f"{os.getpid()}.log").open("a") as lines:
        lines.write(f"{what}\n")


def notes(what: str) -> list[str]:
    """How often that has happened in all of them."""
    return [line for log in HOME.glob("*.log") for line in log.read_text().splitlines() if line == what]

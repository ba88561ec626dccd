"""A directory with files of tasks, and runs of them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.batch import DELAYS, PATIENCE, eventually
from warrener.brokers import connect
from warrener.journal import Begun, read_journal
from warrener.local_run import Ended, Plan, Run
from warrener.orders import Order, give
from warrener.publication import Publication
from warrener.publisher import ensure
from warrener.sources import read
from warrener.worker.manifest import ChildSettings
from warrener.writers import opened

if TYPE_CHECKING:
    import pytest

    from warrener.address import Address

APP: Final = str(Path(__file__).parent / "counting_app.py")


class Desk:
    """A directory with files of tasks, and what became of them.

    Args:
        path: The directory.
        address: The queue.
    """

    def __init__(self, path: Path, address: Address) -> None:
        self.path = path
        self.address = address

    def write(self, *tasks: dict[str, Any], name: str = "tasks.jsonl") -> None:
        """A file of tasks."""
        (self.path / name).write_text("".join(f"{json.dumps(task)}\n" for task in tasks))

    def begun(self, name: str = "tasks.jsonl", app: str = "") -> Begun:
        """The record of one that begins now to publish a file."""
        file = self.path / name
        planned = len(file.read_text().splitlines())
        return Begun(uuid.uuid4().hex, f"host:{file}", time.time(), app, planned=planned)

    def start(self, name: str = "tasks.jsonl", *, app: str = APP, **more: Any) -> Run:
        """A run of a file that has not begun yet."""
        begun = self.begun(name, f"host:{app}")
        heard = {name: more.pop(name) for name in ("on_status", "on_begun") if name in more}
        return Run(Plan(self.address, begun, ChildSettings(app=app), processes=1, **more), **heard)

    async def finish(self, run: Run, name: str = "tasks.jsonl", output: str = "results.jsonl") -> Ended:
        """Let a run go to its end."""
        async with asyncio.timeout(PATIENCE):
            with opened(str(self.path / output), "jsonl") as writer:
                return await run.run(lambda _: read(str(self.path / name)), writer)

    async def run(self, name: str = "tasks.jsonl", output: str = "results.jsonl", **more: Any) -> Ended:
        """Run a file of tasks."""
        return await self.finish(self.start(name, **more), name, output)

    async def publish(self, name: str = "tasks.jsonl") -> None:
        """Publish a file of tasks, and no more."""
        publication = Publication(self.begun(name), is_shared=True)
        async with connect(self.address) as broker:
            await ensure(broker, DELAYS)
            await publication.begin(broker)
            await publication.publish(broker, read(str(self.path / name)))
            await publication.finish(broker, 0)

    async def is_published(self) -> None:
        """Wait until the journal says that all is published."""

        async def is_read() -> bool:
            async with connect(self.address) as broker:
                return (await read_journal(broker)).read is not None

        await eventually(is_read)

    async def order(self, *orders: Order) -> None:
        """Give orders to the workers."""
        async with connect(self.address) as broker:
            for order in orders:
                await give(broker, order)

    def count_looks(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """What brokers of this kind say from now on whenever they are asked whether nothing is left, each time."""
        kind, looks = type(connect(self.address)), list[bool]()
        drained = kind.drained

        async def counted(broker: Any) -> bool:
            looks.append(await drained(broker))
            return looks[-1]

        monkeypatch.setattr(kind, "drained", counted)
        return looks

    @property
    def values(self) -> list[int]:
        """What the rows in the file of results say."""
        lines = (self.path / "results.jsonl").read_text().splitlines()
        return sorted(json.loads(line)["value"] for line in lines)

    @property
    def ran(self) -> Counter[int]:
        """How often each task ran."""
        file = self.path / "ran"
        return Counter(map(int, file.read_text().split())) if file.exists() else Counter()


def double(number: int, **more: object) -> dict[str, Any]:
    """A task."""
    return {"type": "double", "data": {"number": number}, **more}


def slow(number: int) -> dict[str, Any]:
    """A task that waits for the file `go`."""
    return {"type": "slow", "data": {"number": number}}

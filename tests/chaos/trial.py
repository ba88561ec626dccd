"""One batch under fire: what acts on it, and the log of what its tasks did."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.batch import eventually
from tests.place import Place, children
from warrener.brokers import connect
from warrener.worker.prefetch import wanted_prefetch

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable
    from typing import Self

    from tests.chaos.nodes import Cluster
    from tests.chaos.proxy import Proxy
    from tests.place import Running
    from tests.rabbitmq_server import RabbitMQ
    from warrener.address import Address

APP: Final = str(Path(__file__).with_name("app.py"))
WORKERS: Final = 2
PROCESSES: Final = 2
# As many tasks as a worker may hold when it is killed: fast ones are fetched ahead, and a few in a row, such as failures, are
# enough to have it take all for fast (seen: 504 of tasks of 10 ms). While it changes that number, what it asked for before,
# half as much at most, may still come.
HELD: Final = 3 * wanted_prefetch(PROCESSES, 0.0) // 2
_PATIENCE: Final = 300.0


class Event(NamedTuple):
    """A handler has begun or ended."""

    word: str
    task_id: str
    time: float
    """On the machine's monotonic clock."""


class Arena:
    """Where batches run: a broker, and what breaks it.

    Args:
        name: As the table shows it.
        new_address: Makes the address of a queue of its own in a directory.
        server: The one RabbitMQ there is, if there is just one and it is ours.
        cluster: The nodes there are, if there are several.
        proxy: What stands between everybody and RabbitMQ.
    """

    def __init__(
        self,
        name: str,
        new_address: Callable[[Path], Address],
        *,
        server: RabbitMQ | None = None,
        cluster: Cluster | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.name = name
        self.new_address = new_address
        self.server = server
        self.cluster = cluster
        self.proxy = proxy


class Trial:
    """One batch: who publishes it, who works on it, and when it was struck."""

    def __init__(
        self, arena: Arena, directory: Path, chance: random.Random, tasks: list[dict[str, Any]]
    ) -> None:
        self.arena = arena
        self.chance = chance
        self.tasks = tasks
        self.place = Place(directory, arena.new_address(directory))
        self.log = directory / "log"
        self.place.environment["CHAOS_LOG"] = str(self.log)
        self.file = self.place.tasks(tasks)
        self.workers: list[Running] = []
        self.strikes: list[tuple[float, float]] = []
        self._read = 0
        self._ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.place.__exit__()

    @property
    def server(self) -> RabbitMQ:
        """The one RabbitMQ."""
        assert self.arena.server
        return self.arena.server

    @property
    def cluster(self) -> Cluster:
        """The nodes."""
        assert self.arena.cluster
        return self.arena.cluster

    @property
    def proxy(self) -> Proxy:
        """Through which everybody talks to it."""
        assert self.arena.proxy
        return self.arena.proxy

    @property
    def address(self) -> Address:
        """The queue's."""
        return self.place.address

    async def warrener(self, *words: str) -> str:
        """Run a command to its end, which must be a good one; what it said."""
        done = await asyncio.to_thread(self.place.warrener, *words)
        assert done.returncode == 0, (
            f"`warrener {' '.join(words)}` ended with {done.returncode}: {done.stderr}"
        )
        return done.stderr

    async def publish(self) -> None:
        """Declare the queue with all that the app needs, and publish every task."""
        await self.warrener("setup", APP)
        await self.warrener("publish", self.file)

    async def begin_workers(self, count: int = WORKERS) -> None:
        """Start more workers, and wait until they have children."""
        begun = [self.begin_worker() for _ in range(count)]
        self.workers += begun
        for worker in begun:
            await has_children(worker)

    def begin_worker(self) -> Running:
        """Start a worker."""
        return self.place.begin("work", APP, "--processes", str(PROCESSES), is_fresh=True)

    async def end_workers(self) -> None:
        """Stop every worker; each must say that work may be left, since that is all it can know."""
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            code = await asyncio.to_thread(worker.end)
            assert code == 75, f"a worker ended with {code}: {worker.said}"
        self.workers.clear()

    async def replace(self, worker: Running, number: int) -> None:
        """End a worker by a signal, and start another."""
        self.workers.remove(worker)
        await asyncio.to_thread(worker.end, number)
        await self.begin_workers(1)

    async def victim(self) -> int:
        """A child that runs handlers, by chance."""
        worker = self.chance.choice(self.workers)
        found: list[int] = []

        async def are_there() -> bool:
            found[:] = [
                child for fork_server in children(worker.process.pid) for child in children(fork_server)
            ]
            return bool(found)

        await eventually(are_there)
        return self.chance.choice(found)

    async def has_done(self, count: int) -> None:
        """Wait until handlers have ended so many times, for as long as any of them do."""

        async def has_news() -> bool:
            before = self._ended
            if self.log.exists():
                with self.log.open("rb") as log:
                    log.seek(self._read)
                    text = log.read()
                whole = text[: text.rfind(b"\n") + 1]
                self._read += len(whole)
                self._ended += whole.count(b"end ")
            return self._ended > before or self._ended >= count

        while self._ended < count:
            await eventually(has_news, _PATIENCE)

    @asynccontextmanager
    async def strike(self) -> AsyncIterator[None]:
        """Something is broken in here: from when on, and until when."""
        begin = time.monotonic()
        yield
        self.strikes.append((begin, time.monotonic()))

    def said(self) -> list[str]:
        """What each command that was begun said, by its number."""
        return [f"{file.name}: {file.read_text('utf-8')}" for file in sorted(self.place.path.glob("said-*"))]

    def events(self) -> list[Event]:
        """What the handlers logged, in order."""
        if not self.log.exists():
            return []
        lines = (line.split() for line in self.log.read_text("utf-8").splitlines())
        return [Event(word, task_id, float(when)) for word, task_id, when in lines]

    async def left(self) -> int:
        """How many tasks have neither a result nor a failure, as the broker sees it."""
        async with connect(self.address) as broker:
            counts = await broker.counts()
        return counts.waiting


async def has_children(worker: Running) -> None:
    """Wait until a worker has its children."""

    async def are_there() -> bool:
        assert worker.process.poll() is None, f"a worker ended by itself: {worker.said}"
        return any(children(fork_server) for fork_server in children(worker.process.pid))

    await eventually(are_there)


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal to a process, which may have ended by itself in this moment; whether it had not."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True

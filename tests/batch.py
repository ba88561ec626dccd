"""Small batches for tests: declare, publish, work, read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from warrener.brokers import Message, connect
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.codec import encode_task
from warrener.failures import read
from warrener.models import Failure, Task
from warrener.retry import COMMON_DELAYS, RetryPolicy
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warrener.address import Address
    from warrener.brokers import Delivery
    from warrener.brokers.protocol import Lost
    from warrener.exit_codes import Exit

APP = str(Path(__file__).parent / "conformance" / "worker" / "apps.py")
# Those of nearly all apps under test, and one of those that every queue has: a worker makes what its app lacks, and each
# is a queue, whose making takes time.
DELAYS = [*RetryPolicy(3, 0.05).delays(), COMMON_DELAYS[0]]
PATIENCE = 180.0
QUICK = 0.5


def task(type_: str, id_: str, priority: int = 5, **data: object) -> Message:
    """A valid task."""
    return Message(encode_task(Task(id_, type_, data, priority)), id_, priority)


async def publish(address: Address, messages: Sequence[Message], *, will_be_killed: bool = False) -> None:
    """Declare the queue and publish; a RabbitMQ that is not going to be killed needs no time to settle."""
    async with connect(address) as broker:
        if isinstance(broker, RabbitBroker) and not will_be_killed:
            broker.settling = 0
        await broker.declare(DELAYS)
        session = broker.publish_session()
        await session.publish(messages)
        await session.flush()
        assert session.confirmed == len(messages)


async def drain(
    address: Address,
    *,
    settings: ChildSettings | None = None,
    processes: int = 1,
    is_patient: bool = False,
    **more: Any,
) -> Exit:
    """One worker until nothing is left.

    It leaves sooner than it would by itself, so be patient where tasks are lost: RabbitMQ hides them for a while.
    """
    if (
        not is_patient and not address.is_embedded and not address.is_in_memory
    ):  # and asks nobody who counts what is hidden
        address = msgspec.structs.replace(address, management="http://127.0.0.1:1")
    async with connect(address) as broker:
        if not is_patient:
            broker.drain_pause = min(broker.drain_pause, QUICK)
        supervisor = Supervisor(
            broker, settings or ChildSettings(APP), processes=processes, drain=True, **more
        )
        await supervisor.start()
        async with asyncio.timeout(PATIENCE):
            return await supervisor.run()


async def results(address: Address) -> list[dict[str, Any]]:
    """Every row, duplicates included."""
    async with connect(address) as broker:
        return [msgspec.json.decode(row) async for rows in broker.results() for row in rows]


async def failures(address: Address) -> dict[str, Failure]:
    """Every failure by task id."""
    async with connect(address) as broker:
        return {found.task_id: found async for found in read(broker)}


class Hands:
    """Listens to a broker, and holds what it gets."""

    def __init__(self) -> None:
        self.held: list[Delivery] = []
        self.settled: list[Lost] = []

    def on_delivery(self, delivery: Delivery) -> None:
        """Hold it."""
        self.held.append(delivery)

    def on_lost(self, settled: Sequence[Lost]) -> None:
        """Hold it still: it may come a second time."""
        self.settled.extend(settled)

    async def have(self, count: int) -> None:
        """Wait until so many deliveries have come."""

        async def has_come() -> bool:
            return len(self.held) >= count

        await eventually(has_come)


async def eventually(is_so: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Wait for a fact, for so many seconds at most."""
    pause = 0.02
    async with asyncio.timeout(patience):
        while not await is_so():
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, 0.2)  # to look at a queue takes as long as to work on it


async def until_written(path: Path, lines: int) -> None:
    """Wait until handlers have written so many lines to a file."""

    async def has_lines() -> bool:
        return path.exists() and len(path.read_text().splitlines()) >= lines

    await eventually(has_lines)

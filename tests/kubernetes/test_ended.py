"""Whether a batch has ended, by its rows: not before each of its tasks has, and not by other tasks'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS, drain, publish, task
from warrener.batch import Batch
from warrener.brokers import Log, connect
from warrener.journal import JournalState
from warrener.kubernetes.operations.ended import Ended
from warrener.models import Task
from warrener.monitor import Monitor
from warrener.provenance import begun_from
from warrener.sources import Line

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Broker


async def publish_batch(broker: Broker, *types: str) -> None:
    lines = iter([Line(n, Task(f"t{n}", type_, {})) for n, type_ in enumerate(types, 1)])
    async with Batch(broker, begun_from("desk:tasks.jsonl", "", len(types))) as batch:
        await batch.publish(lines)


async def is_proven(broker: Broker) -> bool:
    journal = JournalState()
    async for records in broker.noted(Log.JOURNAL):
        journal.add(records)
    return await Ended(broker).is_proven(await Monitor(broker, journal=journal).look(), journal)


async def test_it_has_ended_when_each_task_has_a_row_or_a_failure(sqlite_address: Address) -> None:
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
        assert not await is_proven(broker)  # nobody has begun any
        await publish_batch(broker, "echo", "permanent", "echo")
        assert not await is_proven(broker)

        await drain(sqlite_address)

        assert await is_proven(broker)


@pytest.mark.parametrize("more", ["echo", "other"])
async def test_rows_of_tasks_that_are_none_of_its_prove_nothing(sqlite_address: Address, more: str) -> None:
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
        await publish(sqlite_address, [task("echo", "x"), task("echo", "y")])
        await drain(sqlite_address)
        await publish_batch(broker, "echo", more)

        assert not await is_proven(broker)

"""What tasks print is kept where a queue is told to keep it: in order, bounded, until it is purged."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.conformance.broker.steps import pass_a_second, publish
from warrener.brokers import Broker, Log
from warrener.brokers.memory import MemoryBroker
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open


async def kept(broker: Broker) -> list[bytes]:
    return [record async for records in broker.noted(Log.OUTPUT) for record in records]


async def test_output_is_kept_in_order_where_that_is_wanted_and_dropped_by_a_purge(
    broker: Broker, open_broker: Open
) -> None:
    await publish(broker, "t")
    with pytest.raises(QueueMissing):
        await broker.note(Log.OUTPUT, [b"too soon"])
    with pytest.raises(QueueMissing):
        await kept(broker)

    await broker.keep_output()
    await broker.keep_output()
    assert await kept(broker) == []
    await broker.note(Log.OUTPUT, [b"one", b"\xff"])
    await (await open_broker()).note(Log.OUTPUT, [b"three"])
    assert await kept(broker) == [b"one", b"\xff", b"three"]

    assert await broker.purge() == 1
    assert await kept(broker) == []
    await broker.note(Log.OUTPUT, [b"four"])
    assert await kept(broker) == [b"four"]


async def test_output_is_followed(broker: Broker, open_broker: Open) -> None:
    await broker.keep_output()
    await broker.note(Log.OUTPUT, [b"one"])
    async with aclosing(broker.noted(Log.OUTPUT, follow=True)) as batches:  # type: ignore[type-var]
        assert [*await anext(batches)] == [b"one"]
        await (await open_broker()).note(Log.OUTPUT, [b"two"])
        found: list[bytes] = []
        while not found:
            found += await anext(batches)
        assert found == [b"two"]


async def test_oldest_output_makes_room(open_broker: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("memory.queue", "sqlite.journal"):
        monkeypatch.setattr(f"warrener.brokers.{module}.MOST_OUTPUT", 100)
    broker = await open_broker()
    await broker.declare([])
    await broker.keep_output()
    records = [b"%d" % number * 30 for number in range(8)]
    await broker.note(Log.OUTPUT, records[:5])
    async with aclosing(broker.noted(Log.OUTPUT, follow=True)) as batches:  # type: ignore[type-var]
        found: list[bytes] = []
        while records[4] not in found:  # a stream may give them bit by bit
            found += await anext(batches)
        assert found == (records[2:5] if not hasattr(broker, "settling") else records[:5])
        await broker.note(Log.OUTPUT, records[5:])
        found = []
        while len(found) < 3:
            found += await anext(batches)
        assert found == records[5:]


async def test_output_is_read_from_a_time_on(broker: Broker) -> None:
    async def since(at: float) -> list[bytes]:
        return [record async for records in broker.output_since(at) for record in records]

    with pytest.raises(QueueMissing):
        await since(0)
    await broker.keep_output()
    assert await since(0) == []
    await broker.note(Log.OUTPUT, [b"one", b"two"])
    between = await pass_a_second()
    await broker.note(Log.OUTPUT, [b"three", b"four"])

    assert await since(0) == await since(between - 1000) == [b"one", b"two", b"three", b"four"]
    assert (await since(between))[-2:] == [b"three", b"four"]
    if not isinstance(broker, MemoryBroker):  # which keeps too little for it to matter
        assert await since(between) == [b"three", b"four"]
        assert await since(await pass_a_second()) == []


async def test_there_is_no_output_of_a_missing_queue(open_broker: Open) -> None:
    broker = await open_broker()
    with pytest.raises(QueueMissing):
        await broker.keep_output()
    with pytest.raises(QueueMissing):
        await anext(aiter(broker.output_since(0)))

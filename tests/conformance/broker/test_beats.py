"""What workers tell reaches who listens, and nobody else waits for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import PATIENCE
from tests.conformance.broker.steps import publish, take
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.conformance.broker.steps import Open
    from warrener.brokers import Broker


@asynccontextmanager
async def listener(broker: Broker) -> AsyncIterator[AsyncIterator[Sequence[bytes]]]:
    """One that listens already."""
    async with aclosing(broker.beats()) as batches:  # type: ignore[type-var]
        await anext(batches)
        yield batches


async def hear(batches: AsyncIterator[Sequence[bytes]], broker: Broker, body: bytes) -> list[bytes]:
    """Tell something until it is heard; all that was heard until then."""
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        while body not in found:
            broker.beat(body)
            found += await anext(batches)
    return found


async def test_each_listener_hears_what_each_worker_tells(broker: Broker, open_broker: Open) -> None:
    other = await open_broker()
    await publish(broker, "a", "b")
    await take(broker, 1)
    await take(other, 1)
    async with listener(broker) as first, listener(await open_broker()) as second:
        for batches in (first, second):
            assert b"one" in await hear(batches, broker, b"one")
            assert b"two" in await hear(batches, other, b"two")
            # As large as it may be, and not text.
            assert bytes(30_000) in await hear(batches, other, bytes(30_000))
            assert b"one, again" in await hear(batches, broker, b"one, again")
    assert (await broker.counts()).ready == 0
    async with listener(broker) as later:
        assert b"last" in await hear(later, broker, b"last")


async def test_who_has_left_is_not_heard_any_more(broker: Broker, open_broker: Open) -> None:
    other = await open_broker()
    await publish(broker, "a")
    await take(broker, 1)
    async with listener(broker) as batches:
        await hear(batches, broker, b"one")
    await broker.__aexit__(None, None, None)
    broker.beat(b"too late")  # harmless
    async with aclosing(other.beats()) as batches:  # type: ignore[type-var]
        for _ in range(2):
            assert [*await anext(batches)] == []


async def test_nobody_needs_to_listen_nor_a_queue_to_be_there(open_broker: Open) -> None:
    broker = await open_broker()
    broker.beat(b"one")
    with pytest.raises(QueueMissing):
        async with listener(broker):
            pass
    await broker.declare([])
    for _ in range(3):
        broker.beat(b"two")
    await publish(broker, "t")
    assert (await broker.counts()).ready == 1
    await broker.delete()
    broker.beat(b"three")


async def test_who_listens_is_told_of_the_end(broker: Broker, open_broker: Open) -> None:
    reader = await open_broker()
    async with listener(reader) as batches:
        await reader.__aexit__(None, None, None)
        with pytest.raises(BrokerError):
            await _listen_on(batches)


async def _listen_on(batches: AsyncIterator[Sequence[bytes]]) -> None:
    async with asyncio.timeout(PATIENCE):
        async for _ in batches:
            pass


async def test_purge_ends_no_listening(broker: Broker) -> None:
    await publish(broker, "a")
    async with listener(broker) as batches:
        await broker.purge()
        await publish(broker, "b")
        await take(broker, 1)
        assert b"one" in await hear(batches, broker, b"one")

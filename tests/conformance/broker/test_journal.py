"""The journal's role: records in order, each log by itself, kept for as long as the queue."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.conformance.broker.steps import DELAYS, publish
from warrener.brokers import Broker, Log
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.conformance.broker.steps import Open

LOGS = (Log.JOURNAL, Log.PUBLISHED, Log.CONTROL)
A, B, C = b'{"kind":"a"}', b'{"kind":"b"}', b'{"kind":"c"}'


async def own(broker: Broker, log: Log) -> list[bytes]:
    """What a log has, but for what the broker itself writes down."""
    return [record async for records in broker.noted(log) for record in records if record in (A, B, C)]


async def test_each_log_has_its_own_records_in_order(broker: Broker, open_broker: Open) -> None:
    await broker.note(Log.JOURNAL, [A])
    await broker.note(Log.CONTROL, [B, C])
    await broker.note(Log.PUBLISHED, [C])
    await (await open_broker()).note(Log.JOURNAL, [B])
    assert await own(broker, Log.JOURNAL) == [A, B]
    assert await own(broker, Log.CONTROL) == [B, C]
    assert await own(broker, Log.PUBLISHED) == [C]


async def test_records_outlive_a_purge(broker: Broker) -> None:
    await publish(broker, "t")
    for log in LOGS:
        await broker.note(log, [A])
    await broker.purge()
    for log in LOGS:
        assert await own(broker, log) == [A]


async def test_logs_of_a_missing_queue_are_none_to_tell(open_broker: Open) -> None:
    broker = await open_broker()
    for log in LOGS:
        with pytest.raises(QueueMissing):
            await own(broker, log)
        with pytest.raises(QueueMissing):
            await broker.note(log, [A])


async def test_follower_is_told_when_it_has_all_and_then_what_is_new(
    broker: Broker, open_broker: Open
) -> None:
    await broker.note(Log.CONTROL, [A])
    await broker.note(Log.JOURNAL, [C])
    async with aclosing((await open_broker()).noted(Log.CONTROL, follow=True)) as batches:  # type: ignore[type-var]
        first = await until_empty(batches)
        await broker.note(Log.JOURNAL, [C])
        await broker.note(Log.CONTROL, [B, C])
        async with asyncio.timeout(60):
            second: list[bytes] = []
            while len(second) < 2:
                second += await anext(batches)
    assert (first, second) == ([A], [B, C])


async def test_follower_of_a_queue_that_is_made_anew_does_not_take_it_for_the_old_one(
    broker: Broker, open_broker: Open
) -> None:
    await broker.note(Log.CONTROL, [A])
    follower = await open_broker()
    async with aclosing(follower.noted(Log.CONTROL, follow=True)) as batches:  # type: ignore[type-var]
        assert await until_empty(batches) == [A]
        await broker.delete()
        maker = await open_broker()
        await maker.declare(DELAYS)
        await maker.note(Log.CONTROL, [B])
        with pytest.raises(BrokerError):
            await until_end(batches)


async def until_end(batches: AsyncIterator[Sequence[bytes]]) -> None:
    """Read on."""
    async with asyncio.timeout(60):
        async for _ in batches:
            pass


async def until_empty(batches: AsyncIterator[Sequence[bytes]]) -> list[bytes]:
    """All that there was."""
    found: list[bytes] = []
    async with asyncio.timeout(60):
        while batch := await anext(batches):
            found += batch
    return found

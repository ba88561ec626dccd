"""The queue itself, and reading without using up, on every broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS, drain, failures, publish, results, task
from warrener import failures as failed_tasks
from warrener.brokers import connect
from warrener.errors import QueueMissing
from warrener.failures import Choice

if TYPE_CHECKING:
    from warrener.address import Address


async def test_declaring_twice_is_harmless(address: Address) -> None:
    await publish(address, [task("echo", "t")])
    async with connect(address) as broker:
        await broker.declare(DELAYS)
        assert (await broker.counts()).ready == 1
        assert await broker.delays(DELAYS) == DELAYS


async def test_queue_is_created_by_many_at_once(address: Address) -> None:
    await asyncio.gather(*(publish(address, [task("echo", f"t{n}")]) for n in range(8)))
    async with connect(address) as broker:
        assert (await broker.counts()).ready == 8


async def test_missing_queue_is_said(address: Address) -> None:
    async with connect(address) as broker:
        with pytest.raises(QueueMissing, match="warrener setup"):
            await broker.counts()


async def test_reading_uses_nothing_up(address: Address) -> None:
    await publish(address, [task("echo", "good"), task("permanent", "bad"), task("nobody", "worse")])
    await drain(address)

    assert await results(address) == await results(address)
    first = await failures(address)
    assert set(first) == {"bad", "worse"}
    for _ in range(30):
        assert await failures(address) == first


async def test_more_failures_than_a_page_are_read_and_taken_out(address: Address) -> None:
    await publish(address, [task("nobody", f"t{n}") for n in range(4500)])
    await drain(address)

    assert set(await failures(address)) == {f"t{n}" for n in range(4500)}
    async with connect(address) as broker:
        assert (await failed_tasks.retry(broker, Choice(ids=frozenset(["t1", "t4499"])))).count == 2
        assert (await broker.counts()).ready == 2
        assert (await failed_tasks.discard(broker, Choice())).count == 4498
    assert await failures(address) == {}


async def test_purge_empties_and_keeps_the_queue(address: Address) -> None:
    await publish(address, [task("echo", "good"), task("permanent", "bad")])
    await drain(address)
    await publish(address, [task("echo", "waiting")])
    async with connect(address) as broker:
        assert await broker.purge() == 3
        counts = await broker.counts()
        assert (counts.ready, counts.completed, counts.failed) == (0, 0, 0)


async def test_deleted_queue_is_gone(address: Address) -> None:
    await publish(address, [task("echo", "t")])
    async with connect(address) as broker:
        await broker.delete()
        await broker.delete()
    async with connect(address) as broker:
        with pytest.raises(QueueMissing):
            await broker.counts()


async def test_retried_failure_begins_anew_and_keeps_its_history(address: Address) -> None:
    await publish(address, [task("fail", "t", 8), task("permanent", "other")])
    await drain(address)
    async with connect(address) as broker:
        assert (await failed_tasks.retry(broker, Choice(frozenset(["t"])))).count == 1
    assert set(await failures(address)) == {"other"}

    await drain(address)

    found = (await failures(address))["t"]
    assert found.attempts == 4
    assert [attempt.number for attempt in found.history] == [1, 2, 3, 4, 1, 2, 3, 4]


async def test_patched_failure_completes(address: Address) -> None:
    await publish(address, [task("echo", "t", number="many")])
    await drain(address)
    async with connect(address) as broker:
        assert (await failed_tasks.retry(broker, Choice(frozenset(["t"])), {"number": 4})).count == 1

    await drain(address)

    assert [row["value"] for row in await results(address)] == [[4, ""]]
    assert await failures(address) == {}


async def test_failures_are_chosen_by_reason_and_error(address: Address) -> None:
    await publish(address, [task("permanent", "a"), task("permanent_by_type", "b"), task("nobody", "c")])
    await drain(address)
    async with connect(address) as broker:
        groups = await failed_tasks.grouped(broker, Choice(reason="permanent"))
        assert {(group.error, group.count) for group in groups} == {("PermanentError", 1), ("KeyError", 1)}
        assert (await failed_tasks.discard(broker, Choice(error="KeyError"))).count == 1
        assert (await failed_tasks.discard(broker, Choice(reason="unknown-type"))).count == 1
    assert set(await failures(address)) == {"a"}

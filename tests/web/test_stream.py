"""What a browser sees of a queue while it is worked on, and what that costs the broker."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.batch import Hands, publish, task
from tests.web.visitor import served
from warrener.beats import Beat, Running, write
from warrener.brokers import connect
from warrener.errors import BrokerUnreachable
from warrener.orders import Paused, give
from warrener.web import looking, priorities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from warrener.address import Address
    from warrener.brokers import Broker


async def test_stream_has_counts_orders_and_workers_as_they_change(address: Address) -> None:
    await publish(address, [task("echo", "a"), task("echo", "b")])
    async with served(address) as visitor, visitor.events(address.queue) as events:
        status = await events.have("status")
        assert (status["queue"], status["state"], status["total"]) == (address.queue, "waiting", 2)
        async with connect(address) as broker:
            hands = Hands()
            await broker.consume(hands, 1)
            await hands.have(1)
            working = asyncio.create_task(_beat(broker))
            status = await events.have("status", lambda status: status["state"] == "running")
            assert (status["ready"], status["workers"]) == (1, 1)
            (worker,) = (await events.have("workers", lambda told: told["workers"]))["workers"]
            assert (worker["worker"], worker["running"][0]["task_id"]) == ("host:1", "a")

            await give(broker, Paused("bob@there", 1.0))

            status = await events.have("status", lambda status: status["state"] == "paused")
            assert status["hold"]["by"] == "bob@there"
            working.cancel()


async def _beat(broker: Broker) -> None:
    for seconds in count():
        broker.beat(write(Beat("host:1", "key", "1.0", 1, seconds, (Running("a", "echo", 1, seconds),))))
        await asyncio.sleep(0.2)


async def test_stream_has_what_is_ready_by_priority_once_somebody_looks(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priorities, "_EVERY", 0.5)
    await publish(address, [task("echo", "a", 9), task("echo", "b"), task("echo", "c")])
    expected = [{"priority": 9, "ready": 1}, {"priority": 5, "ready": 2}]
    async with served(address) as visitor, visitor.events(address.queue) as events:
        await events.have("priorities", lambda told: told == expected)


async def test_ten_browsers_are_one_reader_which_ends_after_the_last(sqlite_address: Address) -> None:
    opened: list[str] = []
    open_now: set[str] = set()

    @asynccontextmanager
    async def counted(queue: str) -> AsyncIterator[Broker]:
        opened.append(queue)
        open_now.add(queue)
        try:
            async with connect(replace(sqlite_address, queue=queue)) as broker:
                yield broker
        finally:
            open_now.remove(queue)

    await publish(sqlite_address, [task("echo", "a")])
    async with served(sqlite_address, opener=counted, linger=0.1) as visitor:
        async with AsyncExitStack() as browsers:
            for _ in range(10):
                events = await browsers.enter_async_context(visitor.events(sqlite_address.queue))
                await events.have("status")
            await visitor.get("/api/queues")
            assert opened == [sqlite_address.queue]

        async with asyncio.timeout(60):
            while open_now:
                await asyncio.sleep(0.02)


async def test_broker_that_is_away_is_told_and_read_again_when_it_is_back(sqlite_address: Address) -> None:
    is_away = True

    @asynccontextmanager
    async def sometimes(queue: str) -> AsyncIterator[Broker]:
        if is_away:
            raise BrokerUnreachable("the broker has gone fishing")
        async with connect(replace(sqlite_address, queue=queue)) as broker:
            yield broker

    await publish(sqlite_address, [task("echo", "a")])
    async with served(sqlite_address, opener=sometimes) as visitor, visitor.events("test") as events:
        problem = await events.have("problem")
        assert problem == {"error": "the broker has gone fishing; trying again", "is_missing": False}
        (row,) = (await visitor.get("/api/queues")).json["queues"]
        assert (row["state"], row["error"]) == ("unknown", problem["error"])

        is_away = False

        assert (await events.have("status"))["total"] == 1
        await events.have("problem", lambda told: told["error"] is None)


async def test_look_without_an_answer_is_told(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(sqlite_address, [task("echo", "a")])
    monkeypatch.setattr(looking, "_LATE", 0.0)
    async with served(sqlite_address) as visitor, visitor.events("test") as events:
        problem = await events.have("problem", lambda told: told["error"] is not None)
        assert problem == {"error": "the broker does not answer; trying again"}


async def test_server_ends_at_once_with_streams_open(sqlite_address: Address) -> None:
    await publish(sqlite_address, [task("echo", "a")])
    async with AsyncExitStack() as browsers:
        async with served(sqlite_address) as visitor:
            events = await browsers.enter_async_context(visitor.events("test"))
            await events.have("status")
        await events.ends()

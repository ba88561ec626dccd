"""RabbitMQ is killed, or stopped, and comes back: nobody ends for it, and nothing is lost."""

from __future__ import annotations

import asyncio
import json

from tests.batch import APP, DELAYS, drain, failures, publish, results, task
from tests.rabbitmq_server import RabbitMQ
from tests.web.visitor import served
from warrener.address import Address
from warrener.brokers import connect
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor


async def test_broker_killed_and_restarted_under_load_loses_nothing(
    server: RabbitMQ, breakable: Address
) -> None:
    await publish(breakable, [task("echo", f"t{n}", number=n) for n in range(6000)], will_be_killed=True)
    async with connect(breakable) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        while supervisor.settled["completed"] < 500:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        assert await running is Exit.DRAINED

    rows = await results(breakable)
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(6000)}
    assert await failures(breakable) == {}


async def test_queue_outlives_a_broker_that_is_killed_once_it_is_declared() -> None:
    # A node of its own, since it is the first stream of a node that is in danger.
    with RabbitMQ(in_memory=True) as fresh:
        address = Address(fresh.url, "young", fresh.management_url)
        async with connect(address) as broker:
            await broker.declare(DELAYS)
            await asyncio.to_thread(fresh.kill)
            await asyncio.to_thread(fresh.start)
        await publish(address, [task("echo", "t")])
        await drain(address)
        assert [row["task_id"] for row in await results(address)] == ["t"]


async def test_reader_goes_on_after_a_broker_restart(server: RabbitMQ, breakable: Address) -> None:
    await publish(breakable, [task("echo", f"t{n}") for n in range(5000)], will_be_killed=True)
    await drain(breakable, processes=2)
    read: list[str] = []
    was_killed = False
    async with connect(breakable) as broker:
        async for rows in broker.results():
            read += [json.loads(row)["task_id"] for row in rows]
            if not was_killed:
                was_killed = True
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)

    assert sorted(read) == sorted(f"t{n}" for n in range(5000))


async def test_publisher_goes_on_after_a_broker_restart(server: RabbitMQ, breakable: Address) -> None:
    async with connect(breakable) as broker:
        await broker.declare(DELAYS)
        session = broker.publish_session()
        await session.publish([task("echo", f"a{n}") for n in range(1000)])
        await asyncio.to_thread(server.stop)
        await session.publish([task("echo", f"b{n}") for n in range(1000)])
        await asyncio.to_thread(server.start)
        await session.flush()
        assert session.confirmed == 2000

    await drain(breakable)

    rows = await results(breakable)
    assert {row["task_id"] for row in rows} == {f"{part}{n}" for part in "ab" for n in range(1000)}


async def test_page_says_that_its_broker_is_away_and_goes_on(server: RabbitMQ, breakable: Address) -> None:
    await publish(breakable, [task("echo", "a")], will_be_killed=True)
    async with served(breakable) as visitor, visitor.events(breakable.queue) as events:
        assert (await events.have("status"))["ready"] == 1
        await events.have("history", lambda history: history["is_complete"])

        await asyncio.to_thread(server.kill)

        problem = await events.have("problem", lambda told: told["error"])
        assert "trying again" in problem["error"]
        await asyncio.to_thread(server.start)
        await events.have("problem", lambda told: told["error"] is None)
        await publish(breakable, [task("echo", "b")])
        await drain(breakable)
        await events.have("history", lambda history: history["completed"] == 2)

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
    """Who works, who reads, who publishes and who looks at the page goes on; test_operator has those whose broker is stopped."""
    await publish(breakable, [task("echo", f"r{n}") for n in range(5000)], will_be_killed=True)
    await drain(breakable, processes=2)
    await publish(breakable, [task("echo", f"t{n}", number=n) for n in range(6000)], will_be_killed=True)
    async with (
        connect(breakable) as broker,
        connect(breakable) as reader,
        connect(breakable) as publisher,
        served(breakable) as visitor,
        visitor.events(breakable.queue) as events,
    ):
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        session = publisher.publish_session()
        reading = reader.results()
        read = [*await anext(reading)]
        while supervisor.settled["completed"] < 500:
            await asyncio.sleep(0.01)
        await session.publish([task("echo", f"a{n}") for n in range(1000)])
        await asyncio.to_thread(server.kill)
        await session.publish([task("echo", f"b{n}") for n in range(1000)])
        problem = await events.have("problem", lambda told: told["error"])
        assert "trying again" in problem["error"]
        await asyncio.to_thread(server.start)
        async for rows in reading:
            read += rows
        await session.flush()
        assert session.confirmed == 2000
        assert await running is Exit.DRAINED
        await events.have("problem", lambda told: told["error"] is None)
        await drain(breakable)
        await events.have("history", lambda history: history["completed"] == 13_000)

    names = [json.loads(row)["task_id"] for row in read]
    assert sorted(name for name in names if name[0] == "r") == sorted(f"r{n}" for n in range(5000))
    done = {row["task_id"] for row in await results(breakable)}
    counts = {"r": 5000, "t": 6000, "a": 1000, "b": 1000}
    assert done == {f"{part}{n}" for part, count in counts.items() for n in range(count)}
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

"""Orders on RabbitMQ: who may write to a queue's own exchange alone gives none, and a cut connection hides none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.batch import APP, DELAYS, PATIENCE, eventually, publish, task
from tests.rabbitmq.cutting import cut
from warrener.brokers import Log, connect
from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.exit_codes import Exit
from warrener.orders import Paused, Resumed, give
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Broker


async def test_record_that_came_by_another_exchange_is_no_order(rabbit_address: Address) -> None:
    async with connect(rabbit_address) as broker:
        await broker.declare(DELAYS)
        forged, genuine = b'{"kind":"cancelled","by":"mallory"}', b'{"kind":"paused","by":"ann"}'
        await broker.note(Log.JOURNAL, [forged])
        queue = broker._queue  # type: ignore[attr-defined]
        async with await (await queue.connections.connection()).channel() as channel:
            tracker = await ConfirmTracker(channel).open()
            tracker.publish(
                "",
                queue.names.journal,
                forged,
                message_id="m",
                priority=None,
                record=None,
                then=lambda _, __: None,
                about=None,
            )
        await broker.note(Log.CONTROL, [genuine])
        assert [record async for records in broker.noted(Log.CONTROL) for record in records] == [genuine]
        assert genuine not in [record async for records in broker.noted(Log.JOURNAL) for record in records]


async def test_order_that_is_given_while_a_worker_is_cut_off_is_heard_once_it_is_back(
    rabbit_address: Address,
) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1)
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())

        async def is_held() -> bool:
            return supervisor._dispatcher.takes_nothing

        async def has_completed() -> bool:
            return (await other.counts()).completed == 1

        # Given a worker whose connection is cut, paused before it is back, and cut once more while it is paused
        await eventually(lambda: has_begun(broker))
        cut(broker)
        await give(other, Paused("ann@desk", 1.0))
        await eventually(is_held)
        cut(broker)
        session = other.publish_session()
        await session.publish([task("echo", "t")])
        await session.flush()
        # When it is resumed
        await give(other, Resumed("ann@desk", 2.0))
        # Then it works
        await eventually(has_completed)
        supervisor.stop()
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.STOPPED


async def has_begun(broker: Broker) -> bool:
    """Whether it consumes."""
    consuming = broker._consuming  # type: ignore[attr-defined]
    return bool(consuming and consuming._consumers)

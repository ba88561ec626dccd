"""Who may write to a queue's own exchange alone gives no orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.batch import DELAYS
from warrener.brokers import Log, connect
from warrener.brokers.rabbitmq.confirms import ConfirmTracker

if TYPE_CHECKING:
    from warrener.address import Address


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
                then=lambda _: None,
            )
        await broker.note(Log.CONTROL, [genuine])
        assert [record async for records in broker.noted(Log.CONTROL) for record in records] == [genuine]
        assert genuine not in [record async for records in broker.noted(Log.JOURNAL) for record in records]

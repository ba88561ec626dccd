"""Results are read while workers go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pika

from tests.batch import PATIENCE, publish, results
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq import stream_ends

if TYPE_CHECKING:
    import pytest

    from warrener.address import Address
    from warrener.brokers.rabbitmq.amqp.connection import Connection


async def test_reading_ends_although_there_is_more_at_every_look(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(rabbit_address, [])
    look, looks = stream_ends.stream_tail, 0

    async def look_after_one_more(connection: Connection, name: str) -> tuple[int, int]:
        nonlocal looks
        looks += 1
        await asyncio.to_thread(_complete, rabbit_address, f"t{looks}")
        return await look(connection, name)

    monkeypatch.setattr("warrener.brokers.rabbitmq.stream.stream_tail", look_after_one_more)
    async with asyncio.timeout(PATIENCE):
        rows = await results(rabbit_address)

    assert [row["task_id"] for row in rows] == [f"t{n}" for n in range(1, looks + 1)]


def _complete(address: Address, task_id: str) -> None:
    """As another worker does it."""
    names = Names(address.queue)
    with pika.BlockingConnection(pika.URLParameters(address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(
            names.outcomes, "results", f'{{"task_id":"{task_id}"}}'.encode(), mandatory=True
        )

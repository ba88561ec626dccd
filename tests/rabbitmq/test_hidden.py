"""A task that is on its way out of a delay is in no count that AMQP shows, and a queue that has one is not drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pika

from tests.batch import DELAYS, eventually, publish, task
from warrener.brokers import connect
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq.topology import WORK_KEY, delay_key

if TYPE_CHECKING:
    from warrener.address import Address


async def test_what_cannot_leave_its_delay_is_waited_for(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    names = Names(rabbit_address.queue)
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        # As when the work queue is not there yet while the broker starts.
        channel.queue_unbind(names.queue, names.queue, WORK_KEY)
        channel.confirm_delivery()
        message = task("echo", "t")
        channel.basic_publish(names.outcomes, delay_key(DELAYS[0]), message.body)

        async def has_left() -> bool:
            return not channel.queue_declare(names.delay(DELAYS[0]), passive=True).method.message_count

        async with connect(rabbit_address) as broker:

            async def is_counted() -> bool:
                return (await broker.counts()).delayed == 1

            await broker.delays(DELAYS)
            await eventually(has_left)
            await eventually(is_counted)
            assert not await broker.drained()
            channel.queue_bind(names.queue, names.queue, WORK_KEY)
            assert not await broker.drained()

"""Sessions of one broker share its channel, and know nothing of each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS, Hands, eventually, publish, task
from tests.rabbitmq.conftest import SMALL_LIMIT
from warrener.brokers import Message, connect
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.errors import MessageTooLarge

if TYPE_CHECKING:
    from warrener.address import Address


async def test_two_that_publish_first_at_once_each_have_their_own_confirmed(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        sessions = [broker.publish_session() for _ in range(5)]

        async def use(number: int) -> None:
            session = sessions[number]
            await session.publish([task("echo", f"{number}-{n}") for n in range(100)])
            await session.flush()
            assert session.confirmed == 100

        await asyncio.gather(*map(use, range(5)))
        assert (await broker.counts()).ready == 500


async def test_calls_that_overlap_in_one_session_are_all_confirmed(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        session = broker.publish_session()
        batches = ([task("echo", f"{number}-{n}") for n in range(3000)] for number in range(3))
        await asyncio.gather(*map(session.publish, batches))
        await asyncio.gather(session.flush(), session.flush())
        assert session.confirmed == 9000
        assert (await broker.counts()).ready == 9000


async def test_what_the_broker_refuses_of_one_touches_no_other(breakable: Address) -> None:
    await publish(breakable, [])
    async with connect(breakable) as broker:
        mine, other = broker.publish_session(), broker.publish_session()
        too_large = Message(b'{"type":"echo","data":"%b"}' % (b"x" * SMALL_LIMIT), "large")
        await other.publish([task("echo", f"before{n}") for n in range(10)])
        await mine.publish([task("echo", "first"), too_large, task("echo", "last")])
        await other.publish([task("echo", f"after{n}") for n in range(10)])

        with pytest.raises(MessageTooLarge, match="'large'"):
            await mine.flush()
        await other.flush()

        assert (mine.confirmed, other.confirmed) == (1, 20)
        await mine.publish([task("echo", "again")])
        await mine.flush()
        assert mine.confirmed == 2
        assert (await broker.counts()).ready >= 22  # what was not confirmed yet is there twice


async def test_waiting_for_what_was_settled_ends_no_consumer(rabbit_address: Address) -> None:
    await publish(rabbit_address, [task("echo", f"t{n}") for n in range(4)])
    hands = Hands()
    async with connect(rabbit_address) as broker:
        await broker.consume(hands, 4)
        await hands.have(4)
        broker.requeue(hands.held[:1])
        await broker.settled()

        await hands.have(5)  # the one that was requeued
        session = broker.publish_session()
        broker.requeue(hands.held[1:5])
        await broker.settled()
        await session.publish([task("echo", "new")])
        await session.flush()

        async def has_come() -> bool:
            return "new" in {delivery.id for delivery in hands.held} or len(hands.held) >= 9

        await eventually(has_come)
        assert (await broker.counts()).workers == 1


async def test_nothing_is_published_before_the_broker_has_a_new_queue_for_certain(
    rabbit_address: Address,
) -> None:
    async with connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        broker.settling = 3600
        await broker.declare(DELAYS)
        publishing = asyncio.create_task(broker.publish_session().publish([task("echo", "t")]))
        for _ in range(3):
            assert (await broker.depths()).ready == 0
        assert not publishing.done()
        publishing.cancel()
        broker._settled_at = 0.0
    # And one that is there already is published to at once
    async with connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        broker.settling = 3600
        await broker.declare(DELAYS)
        session = broker.publish_session()
        await session.publish([task("echo", "t")])
        await session.flush()

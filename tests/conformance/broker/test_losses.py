"""What is held when a connection ends, and what is known of it afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import Hands, eventually
from tests.conformance.broker.steps import (
    DELAYS,
    RECORD,
    SHORT,
    Open,
    consume,
    failed,
    ids,
    publish,
    row,
    rows,
    take,
)
from warrener.brokers import Broker, Completed, Delayed, Message, connect
from warrener.codec import decode_record
from warrener.errors import BrokerError
from warrener.models import Record

if TYPE_CHECKING:
    from warrener.address import Address

FEW = 3  # instead of as many as a broker puts up with


async def test_what_was_held_comes_back_and_says_so(broker: Broker, address: Address) -> None:
    # Given a consumer that has settled one of three tasks and requeued another
    session = broker.publish_session()
    await session.publish([Message(b"{}", name, 7, RECORD) for name in ("a", "b", "c")])
    await session.flush()
    async with connect(address) as other:
        hands = await take(other, 3)
        assert not any(delivery.is_again for delivery in hands.held)
        await other.pause()
        other.settle(hands.held[0], Completed(row("a")))
        other.requeue(hands.held[1:2])
        await other.settled()
    # When it is closed
    # Then the third comes back, and the broker knows that it was lost
    found = {delivery.id: delivery for delivery in (await take(broker, 2)).held}
    assert {name: delivery.lost for name, delivery in found.items()} == {"b": 0, "c": 1}
    again = found["c"]
    assert again.is_again
    assert (again.body, again.priority, decode_record(again.record)) == (b"{}", 7, RECORD)
    assert await rows(broker) == [row("a")]


async def test_losses_add_up_until_the_task_is_published_anew(broker: Broker, address: Address) -> None:
    await publish(broker, "t")
    for lost in range(3):
        async with connect(address) as other:
            (delivery,) = (await take(other, 1)).held
            assert delivery.lost == lost
    hands = await take(broker, 1)

    broker.settle(hands.held[0], Delayed(SHORT, RECORD))
    await hands.have(2)
    assert hands.held[1].lost == 0


async def test_requeued_task_keeps_what_it_has_lost(broker: Broker, address: Address) -> None:
    await publish(broker, "t")
    async with connect(address) as other:
        await take(other, 1)
    hands = await take(broker, 1)
    broker.requeue(hands.held)
    await hands.have(2)
    assert [delivery.lost for delivery in hands.held] == [1, 1]


@pytest.mark.parametrize("was_delayed", [False, True])
async def test_task_that_was_lost_too_often_is_a_failure(
    open_broker: Open, address: Address, monkeypatch: pytest.MonkeyPatch, *, was_delayed: bool
) -> None:
    for module in ("memory.queue", "rabbitmq.topology", "rabbitmq.amqp.properties", "sqlite.claims"):
        monkeypatch.setattr(f"warrener.brokers.{module}.DELIVERY_BACKSTOP", FEW)
    broker = await open_broker()
    await broker.declare(DELAYS)
    await publish(broker, "t")
    if was_delayed:
        async with connect(address) as other:
            hands = await take(other, 1)
            await other.pause()  # or it may come back here before this is closed, and be lost once more
            other.settle(hands.held[0], Delayed(SHORT, Record()))
            await other.settled()
    for _ in range(FEW + 1):
        async with connect(address) as other:
            await take(other, 1)

    async def has_failed() -> bool:
        # A broker may look at it only when somebody consumes.
        await consume(broker, Hands(), 1)
        return await failed(broker) == ["t"]

    await eventually(has_failed)
    (found,) = [task async for task in broker.failures()]
    assert (found.record.reason, found.record.lost) == ("crashed", FEW + 1)
    assert {attempt.error for attempt in found.record.history} == {"WorkerLost"}


async def test_closing_ends_whatever_is_under_way(address: Address, broker: Broker) -> None:
    # Given somebody who follows results over a connection
    other = await connect(address).__aenter__()
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in other.results(follow=True):
            begun.set()

    following = asyncio.create_task(follow())
    await begun.wait()
    # When that is closed
    await other.__aexit__(None, None, None)
    # Then whoever follows is told
    with pytest.raises(BrokerError):
        async with asyncio.timeout(10):
            await following


async def test_closing_twice_is_harmless_and_nothing_can_be_done_then(
    address: Address, broker: Broker
) -> None:
    other = await connect(address).__aenter__()
    for _ in range(2):
        await other.__aexit__(None, None, None)
    with pytest.raises(BrokerError, match="closed"):
        await other.counts()
    with pytest.raises(BrokerError, match="closed"):
        await consume(other, Hands(), 1)


async def test_one_connection_that_ends_is_no_matter_to_another(broker: Broker, address: Address) -> None:
    await publish(broker, "a", "b")
    hands = await take(broker, 1)
    async with connect(address) as other:
        await take(other, 1)
    await consume(broker, hands, 2)
    await hands.have(2)
    assert ids(hands) == ["a", "b"]
    broker.settle(hands.held[0], Completed(row("a")))
    await broker.settled()
    assert await rows(broker) == [row("a")]

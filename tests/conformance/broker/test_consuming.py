"""The consumer's role: what comes, in which order, and until when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import Hands, eventually
from tests.conformance.broker.steps import consume, ids, messages, publish, rows, take
from warrener.brokers import Broker, Completed
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.broker.steps import Open
    from warrener.brokers import Delivery
    from warrener.brokers.protocol import Lost


async def test_missing_queue_is_said(open_broker: Open) -> None:
    broker = await open_broker()
    with pytest.raises(QueueMissing, match="warrener setup"):
        await consume(broker, Hands(), 1)


async def test_most_urgent_comes_first_and_the_oldest_of_these(broker: Broker) -> None:
    session = broker.publish_session()
    for n in range(50):
        await session.publish(messages(f"{n % 10}-{n}", priority=n % 10))
    await session.flush()

    found = ids(await take(broker, 50))

    assert found == [f"{priority}-{n}" for priority in range(9, -1, -1) for n in range(priority, 50, 10)]


async def test_urgent_task_overtakes_what_waits(broker: Broker) -> None:
    await publish(broker, "a", "b", "c")
    hands = await take(broker, 1)
    await publish(broker, "urgent", priority=9)
    broker.settle(hands.held[0], Completed(b"{}"))
    await hands.have(2)
    assert ids(hands) == ["a", "urgent"]


async def test_no_more_come_than_are_asked_for(broker: Broker) -> None:
    # Given more tasks than a consumer asks for
    await publish(broker, *(f"t{n}" for n in range(10)))
    hands = await take(broker, 3)
    assert (await broker.counts()).ready == 7
    # When one is settled
    broker.settle(hands.held[0], Completed(b"{}"))
    await broker.settled()
    # Then one more comes
    await hands.have(4)
    assert (await broker.counts()).ready == 6


async def test_number_can_be_changed(broker: Broker) -> None:
    await publish(broker, *(f"t{n}" for n in range(20)))
    hands = await take(broker, 1)
    await consume(broker, hands, 5)
    await hands.have(5)
    # What is held from before may come on top.
    assert (await broker.counts()).ready in (14, 15)


async def test_two_consumers_share(broker: Broker, open_broker: Open) -> None:
    await publish(broker, *(f"t{n}" for n in range(10)))
    first, second = await take(broker, 4), await take(await open_broker(), 6)
    assert sorted(ids(first) + ids(second)) == sorted(f"t{n}" for n in range(10))


async def test_task_that_is_published_later_comes_by_itself(broker: Broker, open_broker: Open) -> None:
    hands = Hands()
    await consume(broker, hands, 5)
    await publish(await open_broker(), "t")
    await hands.have(1)


async def test_nothing_comes_after_a_pause(broker: Broker, open_broker: Open) -> None:
    # Given a consumer to whom tasks are just coming
    await publish(broker, *(f"t{n}" for n in range(10)))
    hands = Hands()
    await consume(broker, hands, 4)
    # When it pauses, more than once and at once
    await asyncio.gather(broker.pause(), broker.pause())
    await broker.pause()
    held = ids(hands)
    # Then others get all that it does not hold
    await publish(broker, "later")
    others = await take(await open_broker(), 11 - len(held))
    assert ids(hands) == held
    assert sorted(held + ids(others)) == sorted(["later", *(f"t{n}" for n in range(10))])


async def test_pause_before_anything_is_harmless(broker: Broker) -> None:
    await broker.pause()


async def test_what_is_held_over_a_pause_can_be_settled_and_more_be_had_then(broker: Broker) -> None:
    await publish(broker, "a", "b")
    hands = await take(broker, 1)
    await broker.pause()
    broker.settle(hands.held[0], Completed(b'{"task_id":"a"}'))
    await broker.settled()
    assert await rows(broker) == [b'{"task_id":"a"}']

    await consume(broker, hands, 1)

    await hands.have(2)
    assert ids(hands) == ["a", "b"]


async def test_cancelled_consume_leaves_one_number_or_the_other(broker: Broker) -> None:
    class Uncut(Hands):
        """Hears of no cut."""

        def on_lost(self, settled: Sequence[Lost]) -> None:
            raise AssertionError(settled)

    await publish(broker, *(f"t{n}" for n in range(10)))
    hands = Uncut()
    await consume(broker, hands, 1)
    await hands.have(1)
    # Given a call that is cancelled
    consuming = asyncio.create_task(consume(broker, hands, 2))
    await asyncio.sleep(0)
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    assert 1 <= len(hands.held) <= 3
    # Then the broker stays usable, at once
    async with asyncio.timeout(10):
        await consume(broker, hands, 4)
    await hands.have(4)
    assert {delivery.lost for delivery in hands.held} == {0}


async def test_listener_may_settle_and_requeue_from_within(broker: Broker) -> None:
    class Eager(Hands):
        """Completes all but the first delivery of each, which it requeues."""

        def on_delivery(self, delivery: Delivery) -> None:
            is_first = delivery.id not in ids(self)
            super().on_delivery(delivery)
            if is_first:
                broker.requeue([delivery])
            else:
                broker.settle(delivery, Completed(delivery.body))

    await publish(broker, "a", "b", "c")
    hands = Eager()
    await consume(broker, hands, 2)
    await hands.have(6)
    await broker.settled()
    assert sorted(ids(hands)) == ["a", "a", "b", "b", "c", "c"]
    assert len(await rows(broker)) == 3


async def test_loss_for_good_is_said(broker: Broker, open_broker: Open) -> None:
    # Given a consumer that waits to hear of it
    hands = Hands()
    await consume(broker, hands, 1)
    waiting = asyncio.create_task(broker.wait_lost())
    # When the queue is deleted under it
    await (await open_broker()).delete()
    # Then it hears of it
    with pytest.raises(BrokerError, match=r"delete|missing|does not exist"):
        await waiting


async def test_whoever_does_not_want_to_hear_of_a_loss_cancels(broker: Broker) -> None:
    hands = Hands()
    for _ in range(2):  # before there is a consumer, and after
        waiting = asyncio.create_task(broker.wait_lost())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        await consume(broker, hands, 1)
    await publish(broker, "t")
    await hands.have(1)


async def test_queue_is_drained_when_nothing_is_left(broker: Broker) -> None:
    assert await broker.drained()
    await publish(broker, "t")
    assert not await broker.drained()
    hands = await take(broker, 1)
    broker.settle(hands.held[0], Completed(b"{}"))
    await broker.settled()

    await eventually(broker.drained)


async def test_missing_queue_is_not_drained(open_broker: Open) -> None:
    with pytest.raises(QueueMissing):
        await (await open_broker()).drained()

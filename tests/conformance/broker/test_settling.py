"""The consumer's role: what becomes of a task that is held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import Hands
from tests.conformance.broker.steps import LONG, RECORD, SHORT, consume, publish, row, rows, take
from warrener.brokers import Broker, Completed, Delayed, Failed
from warrener.codec import decode_record

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open
    from warrener.brokers import Delivery, FailedTask

RESULT = Completed(row("t"))


@pytest.fixture
async def hands(broker: Broker) -> Hands:
    """Hands that hold the only task there is, and get no other."""
    await publish(broker, "t", priority=7)
    hands = await take(broker, 1)
    await broker.pause()
    return hands


async def test_completed_task_is_a_row(broker: Broker, hands: Hands) -> None:
    broker.settle(hands.held[0], RESULT)
    await broker.settled()

    assert broker.unsettled == 0
    assert await rows(broker) == [RESULT.body]
    assert await _comes_to(broker) is None


async def test_failed_task_is_a_failure(broker: Broker, hands: Hands) -> None:
    record = RECORD.fail("exhausted", 1234.5)
    broker.settle(hands.held[0], Failed(record))
    await broker.settled()

    (found,) = await _failures(broker)
    assert (found.id, found.body, found.priority) == ("t", hands.held[0].body, 7)
    assert found.record == record
    assert await _comes_to(broker) is None


async def test_delayed_task_comes_back_with_its_record(broker: Broker, hands: Hands) -> None:
    broker.settle(hands.held[0], Delayed(SHORT, RECORD))
    await broker.settled()

    await consume(broker, hands, 1)
    await hands.have(2)

    first, second = hands.held
    assert (second.body, second.id, second.priority, second.lost) == (first.body, "t", 7, 0)
    assert decode_record(second.record) == RECORD


async def test_delayed_task_is_left_although_it_cannot_be_had(broker: Broker, hands: Hands) -> None:
    broker.settle(hands.held[0], Delayed(LONG, RECORD))
    await broker.settled()

    assert not await broker.drained()
    assert await _comes_to(broker) is None


async def test_requeued_task_comes_again_at_no_cost(broker: Broker, hands: Hands, open_broker: Open) -> None:
    broker.requeue(hands.held)
    await broker.settled()

    (again,) = (await take(await open_broker(), 1)).held

    first = hands.held[0]
    assert (again.body, again.id, again.priority, again.lost) == (first.body, "t", 7, 0)
    assert decode_record(again.record) == decode_record(first.record)


async def test_acknowledged_task_ends_without_a_word(broker: Broker, hands: Hands) -> None:
    broker.acknowledge(hands.held[0])
    broker.acknowledge(hands.held[0])
    await broker.settled()

    assert broker.unsettled == 0
    assert await rows(broker) == []
    assert await _failures(broker) == []
    assert await _comes_to(broker) is None


@pytest.mark.parametrize("second", ["settle", "requeue", "acknowledge"])
async def test_first_word_counts(broker: Broker, hands: Hands, second: str) -> None:
    # Given a task that was settled
    (delivery,) = hands.held
    broker.settle(delivery, RESULT)
    # When somebody says something else of it, at once and later
    for _ in range(2):
        _say(broker, second, delivery)
        await broker.settled()
    # Then that is let go
    assert broker.unsettled == 0
    assert await rows(broker) == [RESULT.body]
    assert await _failures(broker) == []
    assert await _comes_to(broker) is None


@pytest.mark.parametrize("second", ["settle", "requeue", "acknowledge"])
async def test_delivery_that_was_requeued_is_gone(broker: Broker, hands: Hands, second: str) -> None:
    # Given a task that was requeued and has come again
    (old,) = hands.held
    broker.requeue([old])
    await consume(broker, hands, 1)
    await hands.have(2)
    # When somebody speaks of the former delivery
    _say(broker, second, old)
    await broker.settled()
    # Then the new one can be settled still
    assert await _failures(broker) == []
    broker.settle(hands.held[1], RESULT)
    await broker.settled()
    assert await rows(broker) == [RESULT.body]


async def test_settled_waits_for_all_that_was_said(broker: Broker) -> None:
    names = [f"t{n}" for n in range(300)]
    await publish(broker, *names)
    hands = await take(broker, 300)
    for delivery in hands.held[:200]:
        broker.settle(delivery, Completed(row(delivery.id)))
    broker.requeue(hands.held[200:])
    await asyncio.gather(broker.settled(), broker.settled())

    assert broker.unsettled == 0
    assert sorted(await rows(broker)) == sorted(map(row, names[:200]))


async def test_settled_returns_when_nothing_was_said(broker: Broker) -> None:
    await broker.settled()
    await consume(broker, Hands(), 1)
    await broker.settled()


async def test_cancelled_settled_leaves_all_on_its_way(broker: Broker) -> None:
    names = [f"t{n}" for n in range(100)]
    await publish(broker, *names)
    hands = await take(broker, 100)
    for delivery in hands.held:
        broker.settle(delivery, Completed(row(delivery.id)))
    settled = asyncio.create_task(broker.settled())
    await asyncio.sleep(0)
    settled.cancel()
    await asyncio.gather(settled, return_exceptions=True)

    await broker.settled()

    assert sorted(await rows(broker)) == sorted(map(row, names))


async def test_what_is_consumed_goes_on_after_settled(broker: Broker) -> None:
    await publish(broker, "a")
    hands = await take(broker, 1)
    broker.settle(hands.held[0], Completed(row("a")))
    await broker.settled()
    await publish(broker, "b")
    await hands.have(2)


async def test_settled_ends_although_others_go_on_settling(broker: Broker) -> None:
    """It waits for what was said so far, and not for a moment in which nothing is."""
    await publish(broker, *(f"t{n}" for n in range(50)))

    class Endless(Hands):
        """Completes what it gets, and has the task come again."""

        def on_delivery(self, delivery: Delivery) -> None:
            super().on_delivery(delivery)
            broker.settle(delivery, Delayed(SHORT, RECORD))

    hands = Endless()
    await consume(broker, hands, 20)
    for _ in range(3):
        await hands.have(len(hands.held) + 20)
        await broker.settled()


def _say(broker: Broker, what: str, delivery: Delivery) -> None:
    if what == "settle":
        broker.settle(delivery, Failed(RECORD.fail("permanent")))
    elif what == "acknowledge":
        broker.acknowledge(delivery)
    else:
        broker.requeue([delivery])


async def _failures(broker: Broker) -> list[FailedTask]:
    return [found async for found in broker.failures()]


async def _comes_to(broker: Broker) -> Delivery | None:
    """What a consumer gets of this queue, before a task that is less urgent than any."""
    await publish(broker, "mark", priority=0)
    hands = await take(broker, 1)
    await broker.pause()
    (found,) = hands.held
    broker.requeue([found]) if found.id != "mark" else broker.settle(found, Completed(row("mark")))
    await broker.settled()
    return None if found.id == "mark" else found

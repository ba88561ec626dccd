"""What whoever consumes sees of the queue beside its tasks: how many there are, since when, how quick the broker is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.conformance.broker.steps import DELAYS, publish, take
from warrener.brokers import Broker, Completed, Delayed, Depths, Failed
from warrener.errors import QueueMissing
from warrener.models import Record

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open
    from warrener.brokers import Delivery, Outcome


async def test_depths_are_told_of_what_is_ready_delayed_and_failed(broker: Broker) -> None:
    await publish(broker, "a", "b", "c", "d", "e")
    hands = await take(broker, 3)
    broker.settle(hands.held[0], Delayed(max(DELAYS), Record(attempts=1)))
    broker.settle(hands.held[1], Failed(Record(attempts=1).fail("permanent")))
    await broker.pause()
    await broker.settled()

    async def are_told() -> bool:  # as queues count what they are sent
        depths = await broker.depths()
        held = len(hands.held) - 2
        return depths == Depths(ready=5 - 2 - held, delayed=1, failed=1)

    await eventually(are_told)
    assert broker.is_connected


async def test_depths_of_a_missing_queue_are_none(open_broker: Open) -> None:
    broker = await open_broker()
    with pytest.raises(QueueMissing):
        await broker.depths()


async def test_delivery_says_when_it_was_published_and_after_a_delay_still(broker: Broker) -> None:
    before = time.time()
    await publish(broker, "a")
    hands = await take(broker, 1)
    told = hands.held[0].published_at
    assert told is not None
    assert before - 1 <= told <= time.time() + 1
    broker.settle(hands.held[0], Delayed(min(DELAYS), Record(attempts=1).delay(min(DELAYS))))
    await hands.have(2)
    assert hands.held[1].published_at == told


async def test_confirms_are_timed_for_whoever_asks(open_broker: Open) -> None:
    broker = await open_broker()
    await broker.declare(DELAYS)
    told: list[tuple[Delivery, Outcome, float]] = []
    for _ in range(2):  # whoever asks is told
        broker.time_confirms(lambda *confirmed: told.append(confirmed))
    await publish(broker, "a", "b")
    hands = await take(broker, 2)
    for delivery in hands.held:
        broker.settle(delivery, Completed(b"{}"))
    await broker.settled()
    assert len(told) in (0, 4)  # none where outcomes are there at once
    assert all(0 <= seconds < 60 for _, _, seconds in told)
    assert {delivery.id for delivery, _, _ in told} == ({"a", "b"} if told else set())
    assert all(outcome == Completed(b"{}") for _, outcome, _ in told)

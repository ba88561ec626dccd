"""The reader's role: failures, looked at and taken out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import Hands
from tests.conformance.broker.steps import RECORD, consume, fail, failed, ids, take
from warrener.brokers import Broker, Failed, Message, Verdict
from warrener.codec import decode_record
from warrener.errors import QueueMissing
from warrener.failures import Choice, retry

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open
    from warrener.brokers import Delivery, FailedTask


async def test_looking_uses_nothing_up(broker: Broker) -> None:
    await fail(broker, "a", "b", "c")
    for _ in range(30):
        assert await failed(broker) == ["a", "b", "c"]


async def test_several_may_look_at_once(broker: Broker, open_broker: Open) -> None:
    await fail(broker, "a", "b", "c")
    other = await open_broker()
    found = await asyncio.gather(failed(broker), failed(other), failed(other))
    assert [sorted(names) for names in found] == [["a", "b", "c"]] * 3


async def test_reader_that_stops_early_leaves_all_to_the_next(broker: Broker, open_broker: Open) -> None:
    await fail(broker, "a", "b", "c")
    assert await failed(broker, most=1) == ["a"]
    assert await failed(await open_broker()) == ["a", "b", "c"]


async def test_no_failures_are_none(broker: Broker) -> None:
    assert await failed(broker) == []
    assert await broker.sweep(lambda _: Verdict.DISCARD) == 0


async def test_each_failure_is_kept_discarded_or_published(broker: Broker) -> None:
    # Given three failures
    await fail(broker, "keep", "discard", "publish")
    seen: list[str] = []

    def decide(task: FailedTask) -> Verdict | Message:
        seen.append(task.id)
        if task.id == "publish":
            return Message(b"{}", "published", 8, task.record.replay())
        return Verdict.KEEP if task.id == "keep" else Verdict.DISCARD

    # When each is looked at once
    assert await broker.sweep(decide) == 2
    # Then it is where it was decided to be
    assert seen == ["keep", "discard", "publish"]
    assert await failed(broker) == ["keep"]
    (delivery,) = (await take(broker, 1)).held
    assert (delivery.body, delivery.id, delivery.priority, delivery.lost) == (b"{}", "published", 8, 0)
    assert decode_record(delivery.record).history == RECORD.history


async def test_failure_that_is_retried_keeps_its_trace_and_its_history(broker: Broker) -> None:
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01 vendor=1"
    session = broker.publish_session()
    await session.publish([Message(b'{"id": "a", "type": "echo"}', "a", trace=trace)])
    await session.flush()
    (delivery,) = (await take(broker, 1)).held
    await broker.pause()
    broker.settle(delivery, Failed(RECORD.fail("exhausted")))
    await broker.settled()

    assert (await retry(broker, Choice())).count == 1

    (again,) = (await take(broker, 1)).held
    assert (again.trace, decode_record(again.record).history) == (trace, RECORD.history)


async def test_what_was_decided_before_an_error_stays_done(broker: Broker) -> None:
    await fail(broker, "discard", "publish", "error", "rest")

    def decide(task: FailedTask) -> Verdict | Message:
        if task.id == "error":
            raise LookupError(task.id)
        return Message(b"{}", "published") if task.id == "publish" else Verdict.DISCARD

    with pytest.raises(LookupError, match="error"):
        await broker.sweep(decide)

    assert await failed(broker) == ["error", "rest"]
    assert ids(await take(broker, 1)) == ["published"]


async def test_what_fails_meanwhile_is_left_alone(broker: Broker, open_broker: Open) -> None:
    # Given a consumer with whom everything fails
    await fail(broker, "a", "b", "c")
    working = await open_broker()

    class Failing(Hands):
        def on_delivery(self, delivery: Delivery) -> None:
            super().on_delivery(delivery)
            working.settle(delivery, Failed(RECORD.fail("exhausted")))

    hands = Failing()
    await consume(working, hands, 10)
    # When failures are published again
    seen: list[str] = []

    def again(task: FailedTask) -> Message:
        seen.append(task.id)
        return Message(b"{}", f"{task.id} again")

    assert await broker.sweep(again) == 3
    # Then those that they become are not
    assert seen == ["a", "b", "c"]
    await hands.have(3)
    await working.settled()
    assert sorted(await failed(broker)) == ["a again", "b again", "c again"]


async def test_two_sweeps_take_out_each_failure_once(broker: Broker, open_broker: Open) -> None:
    await fail(broker, *(f"t{n}" for n in range(20)))
    other = await open_broker()

    taken = await asyncio.gather(
        broker.sweep(lambda _: Verdict.DISCARD), failed(other), other.sweep(lambda _: Verdict.DISCARD)
    )

    assert isinstance(taken[0], int)
    assert isinstance(taken[2], int)
    assert taken[0] + taken[2] == 20
    assert await failed(broker) == []


async def test_missing_queue_is_said(open_broker: Open) -> None:
    with pytest.raises(QueueMissing):
        await (await open_broker()).sweep(lambda _: Verdict.KEEP)

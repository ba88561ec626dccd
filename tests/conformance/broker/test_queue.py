"""The admin's role: the queue itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.conformance.broker.steps import (
    DELAYS,
    LONG,
    RECORD,
    SHORT,
    complete,
    fail,
    failed,
    publish,
    row,
    rows,
    take,
)
from warrener.brokers import Broker, Completed, Delayed
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open


async def test_declaring_again_keeps_all_and_adds_delays(broker: Broker) -> None:
    await complete(broker, "done")
    await fail(broker, "failed")
    await publish(broker, "t")

    await broker.declare([30, SHORT])
    await broker.declare([])

    assert await broker.delays([LONG, 30, SHORT]) == [SHORT, 30, LONG]
    counts = await broker.counts()
    assert (counts.ready, counts.completed, counts.failed) == (1, 1, 1)


async def test_queue_is_declared_by_many_at_once(open_broker: Open) -> None:
    brokers = [await open_broker() for _ in range(8)]
    await asyncio.gather(*(broker.declare(DELAYS) for broker in brokers))
    await asyncio.gather(*(publish(broker, f"t{n}") for n, broker in enumerate(brokers)))
    assert (await brokers[0].counts()).ready == 8


async def test_delays_that_exist_are_told_shortest_first(broker: Broker) -> None:
    assert await broker.delays([LONG, 77, SHORT]) == [SHORT, LONG]
    assert await broker.delays([]) == []
    assert await broker.delays([77]) == []


async def test_asking_for_delays_changes_nothing(broker: Broker) -> None:
    # Given a task that is delayed
    await publish(broker, "t")
    hands = await take(broker, 1)
    await broker.pause()
    broker.settle(hands.held[0], Delayed(LONG, RECORD))
    await broker.settled()
    # When somebody asks for others
    assert await broker.delays([77]) == []
    # Then it is still left
    assert not await broker.drained()
    assert await broker.delays([77, LONG]) == [LONG]


async def test_delays_of_a_missing_queue_are_none_to_tell(open_broker: Open) -> None:
    broker = await open_broker()
    for wanted in ([], DELAYS):
        with pytest.raises(QueueMissing, match="warrener setup"):
            await broker.delays(wanted)


async def test_purge_drops_all_but_what_is_held(broker: Broker) -> None:
    # Given tasks in all states
    await complete(broker, "done")
    await fail(broker, "failed", "failed too")
    await publish(broker, "delayed", "held", "ready")
    hands = await take(broker, 2)
    await broker.pause()
    broker.settle(hands.held[0], Delayed(LONG, RECORD))
    await broker.settled()
    # When the queue is purged
    assert await broker.purge() == 5
    # Then nothing is left but what is held, which can be settled
    assert await broker.drained() or (await broker.counts()).processing
    assert await rows(broker) == []
    assert await failed(broker) == []
    assert (await broker.counts()).ready == 0
    broker.settle(hands.held[1], Completed(row("held")))
    await broker.settled()
    assert await rows(broker) == [row("held")]
    assert (await broker.counts()).completed == 1
    assert await broker.delays(DELAYS) == DELAYS


async def test_purge_of_a_missing_queue_is_said(open_broker: Open) -> None:
    broker = await open_broker()
    with pytest.raises(QueueMissing):
        await broker.purge()


async def test_deleted_queue_is_gone_with_all_it_had_and_can_be_made_anew(
    broker: Broker, open_broker: Open
) -> None:
    await complete(broker, "done")
    await publish(broker, "t")
    for _ in range(2):
        await broker.delete()
    with pytest.raises(QueueMissing):
        await broker.counts()
    with pytest.raises(QueueMissing):
        await (await open_broker()).counts()

    await broker.declare(DELAYS)

    assert await rows(broker) == []
    assert (await broker.counts()).ready == 0
    await publish(broker, "new")
    assert (await broker.counts()).ready == 1


async def test_deleting_what_is_not_there_is_harmless(open_broker: Open) -> None:
    await (await open_broker()).delete()


async def test_diagnosis_of_a_queue_that_is_well_says_so(broker: Broker) -> None:
    findings = await broker.inspect()
    assert findings
    assert all(finding.text for finding in findings)
    assert any(finding.ok for finding in findings)

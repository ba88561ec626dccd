"""The reader's role: counts and results, without using anything up."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.conformance.broker.steps import (
    LONG,
    RECORD,
    complete,
    fail,
    pass_a_second,
    publish,
    row,
    rows,
    take,
)
from warrener.brokers import Broker, Delayed
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open


async def test_missing_queue_is_said(open_broker: Open) -> None:
    broker = await open_broker()
    with pytest.raises(QueueMissing):
        await broker.counts()
    with pytest.raises(QueueMissing):
        await rows(broker)
    with pytest.raises(QueueMissing):
        [task async for task in broker.failures()]
    with pytest.raises(QueueMissing):
        await broker.ready_by_priority()


async def test_each_task_is_counted_in_its_state(broker: Broker, open_broker: Open) -> None:
    # Given a task in each state
    await complete(broker, "done", "done too")
    await fail(broker, "failed")
    await publish(broker, "delayed", "processed", "a", "b", "c")
    hands = await take(broker, 2)
    await broker.pause()
    broker.settle(hands.held[0], Delayed(LONG, RECORD))
    await broker.settled()
    # When somebody else looks
    watching = await open_broker(is_managed=True)
    counts = await watching.counts()
    # Then what is ready and what has ended is counted at once
    assert (counts.ready, counts.completed, counts.failed) == (3, 2, 1)
    assert not counts.is_all_done

    # And the rest is not later than the broker says
    async def are_counted() -> bool:
        counts = await watching.counts()
        return (counts.processing, counts.delayed, counts.waiting) == (1, 1, 5)

    await eventually(are_counted, patience=watching.counts_late + 10)


async def test_workers_are_counted(broker: Broker, open_broker: Open) -> None:
    assert (await broker.counts()).workers == 0
    await publish(broker, "a", "b")
    await take(broker, 1)
    await take(await open_broker(), 1)
    assert (await broker.counts()).workers == 2


async def test_ready_tasks_are_counted_by_priority(broker: Broker, open_broker: Open) -> None:
    assert await broker.ready_by_priority() == {}
    # Given tasks of three priorities, of which the most urgent one is taken
    await publish(broker, "now", "soon", priority=9)
    await publish(broker, "a", "b", "c")
    await publish(broker, "whenever", priority=0)
    await take(broker, 1)
    await broker.pause()
    # When somebody else looks
    watching = await open_broker(is_managed=True)

    # Then each is counted that is ready, no later than the broker says, where it can tell
    async def are_counted() -> bool:
        found = await watching.ready_by_priority()
        return found == {9: 1, 5: 3, 0: 1}

    await eventually(are_counted, patience=watching.counts_late + 10)
    assert await broker.ready_by_priority() == (None if hasattr(broker, "settling") else {9: 1, 5: 3, 0: 1})


async def test_results_are_read_in_order_however_often(broker: Broker) -> None:
    names = [f"t{n}" for n in range(100)]
    await complete(broker, *names)
    for _ in range(3):
        assert await rows(broker) == [row(name) for name in names]
    assert (await broker.counts()).completed == 100


async def test_newest_results_are_those_at_the_end(broker: Broker) -> None:
    assert [*await broker.newest_results(3)] == []
    names = [f"t{n}" for n in range(100)]
    await complete(broker, *names)
    assert [*await broker.newest_results(3)] == [row(name) for name in names[-3:]]
    assert [*await broker.newest_results(1000)] == [row(name) for name in names]


async def test_results_are_read_from_any_place(broker: Broker) -> None:
    assert [*await broker.results_at(0, 1)] == []
    names = [f"t{n}" for n in range(100)]
    await complete(broker, *names)
    assert [*await broker.results_at(0, 1)] == [row("t0")]
    assert [*await broker.results_at(40, 3)] == [row(name) for name in names[40:43]]
    assert [*await broker.results_at(98, 10)] == [row(name) for name in names[98:]]
    assert [*await broker.results_at(100, 10)] == []
    assert [*await broker.results_at(1000, 10)] == []


async def test_results_there_were_at_a_time_are_counted(broker: Broker) -> None:
    assert [*await broker.completed_at([0, time.time()])] == [0, 0]
    # Given some that came at one time, and more that came later
    await complete(broker, *(f"t{n}" for n in range(40)), row=_timed)
    between = await pass_a_second()
    await complete(broker, *(f"t{n}" for n in range(40, 100)), row=_timed)
    end = await pass_a_second()
    # Then as many are told as there were, also of times at which none came
    assert [*await broker.completed_at([1, between, end, end + 1000])] == [0, 40, 100, 100]


def _timed(name: str) -> bytes:
    return f'{{"task_id":"{name}","processed_at":{time.time()}}}'.encode()


async def test_no_results_are_no_batches(broker: Broker) -> None:
    assert [batch async for batch in broker.results()] == []


async def test_several_read_at_a_time_over_one_connection_and_over_many(
    broker: Broker, open_broker: Open
) -> None:
    await complete(broker, *(f"t{n}" for n in range(100)))
    other = await open_broker()
    found = await asyncio.gather(rows(broker), rows(broker), rows(other), rows(other))
    assert [*found] == [[row(f"t{n}") for n in range(100)]] * 4


async def test_reader_may_stop_early(broker: Broker) -> None:
    await complete(broker, "a", "b")
    for follow in (False, True, True):
        async with aclosing(broker.results(follow=follow)) as batches:  # type: ignore[type-var]
            async for _ in batches:
                break
    assert await rows(broker) == [row("a"), row("b")]


async def test_follower_gets_what_comes_and_hears_of_the_waiting(broker: Broker) -> None:
    # Given a follower that has read all that there is
    await complete(broker, "a")
    found: list[bytes] = []
    waited = asyncio.Event()

    async def follow() -> None:
        async for batch in broker.results(follow=True):
            found.extend(batch)
            if not batch:
                waited.set()

    following = asyncio.create_task(follow())
    await waited.wait()
    assert found == [row("a")]
    # When there is more
    await complete(broker, "b", "c")

    # Then it gets that, too
    async def has_all() -> bool:
        return found == [row("a"), row("b"), row("c")]

    await eventually(has_all)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert following.cancelled()


async def test_follower_begins_anew_after_a_purge(broker: Broker) -> None:
    await complete(broker, "a", "b", "c")
    found: list[bytes] = []

    async def follow() -> None:
        async for batch in broker.results(follow=True):
            found.extend(batch)

    async def has(count: int) -> None:
        async def are_there() -> bool:
            return len(found) >= count

        await eventually(are_there, patience=10)

    following = asyncio.create_task(follow())
    await has(3)
    await broker.purge()
    await complete(broker, "d", "e", "f", "g")
    await has(7)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert found == [row(name) for name in "abcdefg"]

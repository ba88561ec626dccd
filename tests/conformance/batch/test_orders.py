"""A batch that is paused or cancelled: it is told as such, nothing of it is lost, and it goes on where it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS, eventually, failures, task, until_written
from tests.conformance.batch.desk import Desk, double, slow
from warrener.brokers import connect
from warrener.errors import UsageError
from warrener.exit_codes import Exit
from warrener.failure_limit import FailureLimit
from warrener.monitor import watching
from warrener.orders import Cancelled, Hold, Paused, Resumed, current
from warrener.worker.pool.pace import MOST_READY

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.address import Address
    from warrener.local_run import Ended, Run
    from warrener.monitor import Status

CANCELLED = Cancelled("ann@desk", 1.0)


async def status_of(address: Address) -> Status:
    """A look at the queue."""
    async with connect(address) as broker, watching(broker) as monitor:
        return await monitor.look()


def counted(ended: Ended) -> tuple[int, int, int, int | None]:
    """Completed, failed, cancelled, missing."""
    assert ended.summary
    return ended.summary.completed, ended.summary.failed, ended.summary.cancelled, ended.summary.missing


async def interrupted(desk: Desk, run: Run, order: Callable[[], object]) -> Ended:
    """Let a run begin, give an order while its first task waits, and let that end once the order was heard."""
    going = asyncio.create_task(desk.finish(run))
    await until_written(desk.path / "ran", 1)
    await desk.is_published()
    await order()  # type: ignore[misc]

    async def is_held() -> bool:
        return bool(run._supervisor and run._supervisor._dispatcher.takes_nothing)

    await eventually(is_held)
    (desk.path / "go").touch()
    return await going


async def test_cancelled_run_says_how_many_and_the_same_run_goes_on(desk: Desk) -> None:
    # Given a run whose first task runs
    desk.write(*map(slow, range(4)))
    ended = await interrupted(desk, desk.start(), lambda: desk.order(CANCELLED))
    # Then what ran has ended, and the rest is cancelled
    completed, failed, cancelled, missing = counted(ended)
    assert (completed + cancelled, failed, missing) == (4, 0, 0)
    assert cancelled >= 2
    assert len(desk.values) == completed
    seen = await status_of(desk.address)
    assert (seen.counts.ready, seen.counts.delayed, seen.cancelled, seen.total) == (0, 0, cancelled, 4)
    assert seen.hold == Hold("cancelled", "ann@desk", 1.0)
    assert seen.is_finished
    # And the same run lifts it
    run = desk.start()
    ended = await desk.finish(run)
    assert run._batch
    assert run._batch.publication.lifted
    assert run._batch.publication.lifted.cancelled == CANCELLED
    assert counted(ended) == (4, 0, 0, 0)
    assert desk.values == [0, 2, 4, 6]
    assert desk.ran == Counter(range(4))


async def test_run_that_is_cancelled_while_it_publishes_reads_its_file_to_the_end(desk: Desk) -> None:
    # Given a file of which a part has ended before, and then a run with hardly any window
    desk.write(*map(double, range(3)))
    await desk.run()
    desk.write(*map(slow, range(10, 3000)), *map(double, range(3)))
    run = desk.start(window=1000)
    going = asyncio.create_task(desk.finish(run))
    await until_written(desk.path / "ran", 4)
    # When it is cancelled, then it knows its earlier rows, and counts what was not published as cancelled
    await desk.order(CANCELLED)
    await eventually(lambda: has_read(run))
    (desk.path / "go").touch()
    ended = await going
    completed, failed, cancelled, missing = counted(ended)
    assert (completed + cancelled, failed, missing) == (2993, 0, 0)
    assert desk.values[:3] == [0, 2, 4]


async def test_paused_run_waits_and_goes_on(desk: Desk) -> None:
    desk.write(*map(slow, range(3)))
    run = desk.start()

    async def order() -> None:
        await desk.order(Paused("ann@desk", 1.0))

    going = asyncio.create_task(interrupted(desk, run, order))
    await until_written(desk.path / "go", 0)
    await eventually(lambda: is_paused_with(desk, 1))
    assert not going.done()
    await desk.order(Resumed("ann@desk", 2.0))
    assert counted(await going) == (3, 0, 0, 0)
    assert desk.ran == Counter(range(3))


async def test_another_batch_is_refused_on_a_cancelled_queue_until_nothing_waits(desk: Desk) -> None:
    desk.write(*map(double, range(2)))
    desk.write(double(7), name="others.jsonl")
    await desk.run()
    await desk.order(CANCELLED)
    async with connect(desk.address) as broker:
        session = broker.publish_session()
        await session.publish([task("double", "waits", number=1)])
        await session.flush()
    with pytest.raises(
        UsageError, match=r"cancelled by ann@desk.*warrener resume.*purge.*--queue NAME.*--fresh"
    ):
        await desk.run("others.jsonl", is_shared=True)
    async with connect(desk.address) as broker:
        await broker.purge()
    await desk.run("others.jsonl", is_shared=True)
    assert desk.values == [14]


async def test_cancelled_type_fails_and_runs_with_the_same_batch_again(desk: Desk) -> None:
    desk.write(double(1), *map(slow, range(3)))
    first = asyncio.create_task(desk.finish(desk.start()))
    await until_written(desk.path / "ran", 2)
    await desk.order(Cancelled("ann@desk", 1.0, ("slow",), running=True))
    ended = await first
    assert counted(ended) == (1, 3, 0, 0)
    assert ended.summary
    assert ended.summary.by_reason == {"cancelled": 3}

    (desk.path / "go").touch()
    ended = await desk.run()
    assert counted(ended) == (4, 0, 0, 0)
    assert await failures(desk.address) == {}
    assert desk.values == [0, 2, 2, 4]


async def test_batch_that_fails_too_often_is_paused_and_goes_on_with_the_same_run(desk: Desk) -> None:
    # Given failures from before
    desk.write(double(-1), double(-2))
    await desk.run(limit=FailureLimit(2))
    # When more fail than may
    desk.write(double(-1), double(-2), *map(double, range(-13, -3)), *map(slow, range(5)))
    going = asyncio.create_task(desk.finish(desk.start(limit=FailureLimit(9))))
    await until_written(desk.path / "ran", 12)
    await eventually(lambda: is_paused(desk))
    (desk.path / "go").touch()
    ended = await going
    # Then the run ends, and its batch is paused
    assert ended.exit is Exit.FAILED
    assert ended.summary is None
    assert ended.exceeded == "more than 9 tasks failed (10)"
    assert (await status_of(desk.address)).hold is not None
    # And the same run lifts that, and counts from there on
    ended = await desk.run(limit=FailureLimit(9))
    assert counted(ended) == (5, 12, 0, 0)


async def test_batch_that_fails_fast_is_paused_before_many_more_have_begun(desk: Desk) -> None:
    # Given rows from before, which are no part of what has ended since
    desk.write(*map(double, range(60)))
    await desk.run()
    # When nothing but failures follows
    desk.write(*map(double, range(-3000, 60)))
    ended = await desk.run(limit=FailureLimit(50, is_percent=True))
    # Then it ends by the first twenty, and what a child had been given
    assert ended.exit is Exit.FAILED
    assert ended.exceeded.startswith("more than 50% of the tasks failed (")
    assert sum(desk.ran.values()) < 60 + 20 + 2 * MOST_READY
    assert (await status_of(desk.address)).hold is not None


async def test_failures_of_others_on_the_queue_count_for_no_limit(desk: Desk) -> None:
    desk.write(*map(double, range(-1, 3)))
    async with connect(desk.address) as broker:
        await broker.declare(DELAYS)
        session = broker.publish_session()
        await session.publish([task("double", f"other-{n}", number=-5) for n in range(20)])
        await session.flush()
    assert counted(await desk.run(limit=FailureLimit(2), is_shared=True)) == (3, 1, 0, 0)
    assert (await status_of(desk.address)).counts.failed == 21


async def test_pause_of_a_person_is_lifted_by_no_run(desk: Desk) -> None:
    desk.write(double(1))
    await desk.run()
    await desk.order(Paused("ann@desk", 1.0), Paused("run@desk", 2.0, "more than 1 task failed"))
    await desk.run()
    async with connect(desk.address) as broker:
        assert (await current(broker)).paused == Paused("ann@desk", 1.0)


async def is_paused(desk: Desk) -> bool:
    """Whether the queue is."""
    return (await status_of(desk.address)).hold is not None


async def is_paused_with(desk: Desk, completed: int) -> bool:
    """Whether it is, and so many have completed."""
    seen = await status_of(desk.address)
    return seen.hold is not None and seen.counts.completed >= completed


async def has_read(run: Run) -> bool:
    """Whether the file was read to its end."""
    return bool(run._batch and run._batch.publication.is_read)

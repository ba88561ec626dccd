"""Workers follow the orders of their queue: paused, resumed, cancelled, and some types cancelled."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import (
    APP,
    PATIENCE,
    QUICK,
    drain,
    eventually,
    failures,
    publish,
    results,
    task,
    until_written,
)
from warrener import failures as failed_tasks
from warrener.brokers import connect
from warrener.errors import AccessRefused
from warrener.exit_codes import Exit
from warrener.failures import Choice
from warrener.orders import Cancelled, Order, Paused, Resumed, give
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warrener.address import Address
    from warrener.brokers import Counts, Message

PAUSED = Paused("ann@desk", 1.0)
RESUMED = Resumed("ann@desk", 2.0)


class Place:
    """What tasks here wait for, and write down."""

    def __init__(self, path: Path) -> None:
        self.log = path / "log"
        self.go = path / "go"

    def waiting(self, *names: str) -> list[Message]:
        """Tasks that say that they run, and wait for `go`."""
        return [task("wait_for", name, file=str(self.go), log=str(self.log)) for name in names]

    async def have_begun(self, count: int) -> None:
        """Wait until so many have begun."""
        await until_written(self.log, count)

    @property
    def begun(self) -> int:
        """How many have."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place of the test's own."""
    return Place(tmp_path)


@asynccontextmanager
async def worker(
    address: Address, *, drains: bool = False, processes: int = 1
) -> AsyncIterator[tuple[Supervisor, asyncio.Task[Exit]]]:
    """A worker, stopped when the block ends."""
    async with connect(address) as broker:
        broker.drain_pause = min(broker.drain_pause, QUICK)
        supervisor = Supervisor(
            broker, ChildSettings(APP, concurrency=1), processes=processes, drain=drains, grace=0
        )
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())
        try:
            yield supervisor, working
        finally:
            supervisor.stop()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(working, return_exceptions=True)


async def order(address: Address, *orders: Order) -> None:
    """Give orders, in quick succession."""
    async with connect(address) as broker:
        for each in orders:
            await give(broker, each)


async def until_counts(address: Address, **wanted: int) -> None:
    """Wait until the broker counts so."""

    async def is_so() -> bool:
        async with connect(address) as broker:
            counts: Counts = await broker.counts()
        return all(getattr(counts, name) == count for name, count in wanted.items())

    await eventually(is_so)


async def test_paused_worker_lets_tasks_end_returns_the_rest_and_waits(
    address: Address, place: Place
) -> None:
    # Given a worker that drains, and runs one task of three
    await publish(address, place.waiting("a", "b", "c"))
    async with worker(address, drains=True) as (supervisor, working):
        await place.have_begun(1)
        # When its queue is paused
        await order(address, PAUSED)
        await eventually(lambda: is_held(supervisor))
        await until_counts(address, ready=2)
        place.go.touch()
        await until_counts(address, ready=2, completed=1)
        # Then it waits, with nothing in its hands, until its queue is resumed
        assert not supervisor.held
        assert not working.done()
        assert place.begun == 1
        await order(address, RESUMED)
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    rows = await results(address)
    assert sorted((row["task_id"], row["attempts"]) for row in rows) == [("a", 1), ("b", 1), ("c", 1)]


async def test_worker_that_begins_later_hears_it_before_its_first_task(
    address: Address, place: Place
) -> None:
    await publish(address, place.waiting("a"))
    await order(address, PAUSED)
    async with worker(address) as (supervisor, working):
        await eventually(lambda: is_held(supervisor))
        assert not working.done()
        await order(address, RESUMED, PAUSED, RESUMED)
        await place.have_begun(1)
        place.go.touch()
        await until_counts(address, completed=1)


async def test_cancelled_queue_keeps_its_tasks_and_a_worker_that_drains_ends(
    address: Address, place: Place
) -> None:
    await publish(address, place.waiting("a", "b"))
    async with worker(address, drains=True) as (supervisor, working):
        await place.have_begun(1)
        await order(address, Cancelled("ann@desk", 1.0))
        await eventually(lambda: is_held(supervisor))
        await until_counts(address, ready=1)
        assert not working.done()  # what runs may end
        place.go.touch()
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    await until_counts(address, ready=1, completed=1)
    assert await drain(address) is Exit.DRAINED  # one that begins later takes nothing
    await order(address, RESUMED)
    assert await drain(address) is Exit.DRAINED
    assert sorted((row["task_id"], row["attempts"]) for row in await results(address)) == [("a", 1), ("b", 1)]


async def test_what_runs_is_killed_and_returned_where_that_is_ordered(address: Address, place: Place) -> None:
    await publish(address, place.waiting("a", "b", "c"))
    async with worker(address, processes=2) as (supervisor, working):
        await place.have_begun(2)
        await order(address, Cancelled("ann@desk", 1.0, running=True))
        await until_counts(address, ready=3)
        assert not supervisor.held
        assert not working.done()  # one that does not drain waits
        place.go.touch()
        await order(address, RESUMED)
        await until_counts(address, completed=3)
    assert {row["attempts"] for row in await results(address)} == {1}


async def test_cancelled_type_ends_as_failed_and_can_be_replayed(address: Address, place: Place) -> None:
    await publish(address, [*place.waiting("a", "b"), task("echo", "c"), task("fail", "d")])
    async with worker(address, drains=True) as (_, working):
        await place.have_begun(1)
        # When a type is cancelled of which one runs, and later one that retries
        await order(address, Cancelled("ann@desk", 1.0, ("wait_for",), running=True))
        await order(address, Cancelled("ann@desk", 1.0, ("fail",)))
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    # Then what is of these types has failed, and the rest has run
    found = await failures(address)
    assert {name: failure.reason for name, failure in found.items() if name != "d"} == {
        "a": "cancelled",
        "b": "cancelled",
    }
    assert (found["a"].attempts, found["a"].error) == (0, "Cancelled")
    assert found["a"].message == "type 'wait_for' was cancelled by ann@desk"
    assert [row["task_id"] for row in await results(address)] == ["c"]
    # And once it is resumed, it can be tried again
    await order(address, RESUMED)
    place.go.touch()
    async with connect(address) as broker:
        await failed_tasks.retry(broker, Choice(reason="cancelled"))
    await drain(address)
    assert {"a", "b", "c"} <= {row["task_id"] for row in await results(address)}


async def test_retry_that_comes_back_while_its_queue_is_cancelled_waits(
    address: Address, tmp_path: Path
) -> None:
    await publish(address, [task("fail_until", "t", file=str(tmp_path / "calls"), times=1)])
    async with worker(address) as (supervisor, _):
        await until_written(tmp_path / "calls", 1)
        await order(address, Cancelled("ann@desk", time.time()))
        await eventually(lambda: is_held(supervisor))
    assert await drain(address) is Exit.DRAINED
    await order(address, RESUMED)
    await drain(address, is_patient=True)
    (row,) = await results(address)
    assert row["value"] == 2


async def test_worker_that_may_not_hear_orders_says_so_and_works(
    memory_address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(memory_address, [task("echo", "t")])

    async def refused(*_: object, **__: object) -> AsyncIterator[list[bytes]]:
        raise AccessRefused("you may not")
        yield []

    async with connect(memory_address) as broker:
        broker.noted = refused  # type: ignore[method-assign]
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1, drain=True)
        await supervisor.start()
        async with asyncio.timeout(PATIENCE):
            assert await supervisor.run() is Exit.DRAINED
    said = "orders to pause or cancel do not reach this worker: you may not"
    assert [record.getMessage() for record in caplog.records].count(said) == 1
    assert len(await results(memory_address)) == 1


async def is_held(supervisor: Supervisor) -> bool:
    """Whether a worker takes nothing."""
    return supervisor._dispatcher.takes_nothing

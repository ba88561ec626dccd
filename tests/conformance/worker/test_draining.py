"""When a worker that drains may leave, where others publish: not while a run does, and never with a task in its hands."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.batch import APP, DELAYS, PATIENCE, QUICK, eventually, publish, results, task
from warrener import turns
from warrener.brokers import connect
from warrener.errors import AccessRefused
from warrener.exit_codes import Exit
from warrener.journal import Begun, Left, Publishing, Read, Record, note
from warrener.worker.delays import find_delays
from warrener.worker.manifest import ChildSettings
from warrener.worker.runs import Runs
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import pytest

    from warrener.address import Address
    from warrener.brokers import Broker


@asynccontextmanager
async def worker(address: Address) -> AsyncIterator[tuple[Broker, Supervisor, asyncio.Task[Exit]]]:
    """A worker that drains, and its broker."""
    async with connect(address) as broker:
        broker.drain_pause = min(broker.drain_pause, QUICK)
        supervisor = Supervisor(
            broker, ChildSettings(APP), processes=1, drain=True, grace=0, awaits_runs=True
        )
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())
        try:
            yield broker, supervisor, working
        finally:
            supervisor.stop()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(working, return_exceptions=True)


async def say(address: Address, record: Record) -> None:
    """Write a record into the journal."""
    async with connect(address) as broker:
        await note(broker, record)


def a_run(app: str = "desk:app.py") -> Begun:
    """A run that begins."""
    return Begun(uuid.uuid4().hex, "desk:tasks.jsonl", 0.0, app)


async def test_worker_stays_while_a_run_publishes(address: Address) -> None:
    # Given runs of which one has ended, one publishes, and one that has no app
    await publish(address, [task("echo", "first")])
    ended, run = a_run(), a_run()
    for record in (ended, Left(ended.run), a_run(app=""), run):
        await say(address, record)
    async with worker(address) as (broker, _, working):
        # When all is done that was published so far
        await until_rows(address, 1)
        looks = 0
        drained = broker.drained

        async def counted() -> bool:
            nonlocal looks
            looks += 1
            return await drained()

        broker.drained = counted  # type: ignore[method-assign]
        await asyncio.sleep(4 * QUICK)
        # Then it waits, and does not ask the broker again and again
        assert not working.done()
        assert looks <= 1
        # And leaves once that run has published all, after what it has
        await publish(address, [task("echo", "last")])
        await say(address, Read(run.run, 2))
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    assert [row["task_id"] for row in await results(address)] == ["first", "last"]


async def test_run_that_says_nothing_for_long_is_waited_for_no_more(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_SILENT_FOR", 1.0)
    await publish(address, [])
    run = a_run()
    await say(address, run)
    async with worker(address) as (_, _, working):
        for _ in range(4):
            await asyncio.sleep(0.4)
            await say(address, Publishing(run.run))
        assert not working.done()
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED


async def test_what_comes_at_the_moment_of_leaving_is_run(address: Address) -> None:
    await publish(address, [])
    async with worker(address) as (broker, supervisor, working):
        pause, is_first = broker.pause, True

        async def late() -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                await publish(address, [task("echo", "late")])

                async def has_come() -> bool:
                    return supervisor.held > 0 or supervisor.settled["completed"] > 0

                await eventually(has_come)
            await pause()

        broker.pause = late  # type: ignore[method-assign]
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    assert [(row["task_id"], row["attempts"]) for row in await results(address)] == [("late", 1)]


async def test_delays_that_a_run_is_about_to_add_are_waited_for(
    memory_address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(memory_address, [])
    run = a_run()
    await say(memory_address, run)
    async with connect(memory_address) as broker, connect(memory_address) as other:

        async def refuse(delays: Sequence[int]) -> None:
            raise AccessRefused(f"this user may not make {delays}")

        broker.declare = refuse  # type: ignore[method-assign]
        runs = Runs(broker)
        wanted = [*DELAYS, 77]
        finding = asyncio.create_task(find_delays(broker, wanted, runs))
        await asyncio.sleep(QUICK)
        assert not finding.done()
        await other.declare([77])
        async with asyncio.timeout(PATIENCE):
            assert 77 in await finding
            assert not caplog.records
            # Those that nobody adds are done without, with a word
            await note(other, Left(run.run))
            assert 78 not in await find_delays(broker, [*wanted, 78], runs)
        assert "the queue has no delay of 0.078 s" in caplog.text
        await runs.close()


async def until_rows(address: Address, count: int) -> None:
    """Wait until there are so many results."""

    async def are_there() -> bool:
        return len(await results(address)) >= count

    await eventually(are_there)

"""How many tasks a worker keeps from others."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tests.batch import APP, PATIENCE, eventually, publish, results, task
from warrener.brokers import connect
from warrener.exit_codes import Exit
from warrener.worker import intake, prefetch
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from warrener.address import Address


async def test_slow_tasks_behind_quick_ones_are_left_to_others(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that has taken many tasks at a time, since the first ones were quick
    monkeypatch.setattr(intake, "_STALLED_AFTER", 0.2)
    gate, log = tmp_path / "gate", tmp_path / "log"
    quick = [task("echo", f"quick{n}") for n in range(60)]
    slow = [task("wait_for", f"slow{n}", file=str(gate), log=str(log)) for n in range(200)]
    await publish(address, [*quick, *slow])
    async with connect(address) as broker, connect(address) as other:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1, drain=True)
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())

        # When the others turn out to be slow, it returns them
        async def are_left() -> bool:
            return log.exists() and (await other.depths()).ready >= len(slow) // 2

        await eventually(are_left)
        gate.touch()
        async with asyncio.timeout(PATIENCE):
            assert await working is Exit.DRAINED
    # Then each has run once all the same
    assert len(log.read_text().splitlines()) == len(slow)
    rows = await results(address)
    assert {row["task_id"] for row in rows} == {message.id for message in (*quick, *slow)}
    assert {row["attempts"] for row in rows} == {1}


async def test_no_more_are_held_than_their_results_leave_memory_for(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that takes as many tasks as there is memory for, however long they take
    for name, value in (("_MOST_BYTES", 1_000_000), ("_FAST", 1e9), ("_SLOW", 1e9), ("_AHEAD", 1e9)):
        monkeypatch.setattr(prefetch, name, value)
    numbers = itertools.count()
    async with connect(address) as broker:
        await publish(address, [task("echo", f"small{n}") for n in range(100)])
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1)
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())

        async def are_many() -> bool:
            return supervisor._intake._prefetch > 500

        await eventually(are_many)

        # When their results become large, it takes fewer
        async def are_few() -> bool:
            await publish(address, [task("long", f"large{next(numbers)}", size=10_000) for _ in range(50)])
            return supervisor._intake._prefetch < 2 * 100

        await eventually(are_few)
        supervisor.stop()
        async with asyncio.timeout(PATIENCE):
            await working

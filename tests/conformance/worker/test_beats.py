"""Who looks sees what each worker runs, since when and how far it is; nobody else notices."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import drain, eventually, publish, results, task
from warrener.beats import Beat, listening
from warrener.brokers import connect
from warrener.exit_codes import Exit
from warrener.orders import Paused, give
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from warrener.address import Address

HERE: Final = str(Path(__file__).with_name("progress_app.py"))
APP: Final = ChildSettings(f"{HERE}:app")
THREADS: Final = ChildSettings(f"{HERE}:app", threads=2)
ASYNC: Final = ChildSettings(f"{HERE}:async_app", concurrency=2)


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Handlers end once it is there."""
    monkeypatch.setattr("warrener.worker.beating.EVERY", 0.2)
    monkeypatch.setattr("warrener.worker.beating._LONG", 0.0)
    monkeypatch.setenv("PROGRESS_END", str(tmp_path / "end"))
    return tmp_path / "end"


async def test_who_looks_sees_what_runs_and_how_far_it_is(address: Address, end: Path) -> None:
    await _look(address, end, APP, processes=2)


@pytest.mark.parametrize("settings", [THREADS, ASYNC], ids=["threads", "async"])
async def test_progress_comes_from_children_of_each_kind(
    memory_address: Address, end: Path, settings: ChildSettings
) -> None:
    await _look(memory_address, end, settings, processes=1)


async def _look(address: Address, end: Path, settings: ChildSettings, *, processes: int) -> None:
    kinds = ("count_async", "count_async") if settings is ASYNC else ("count", "say_nothing")
    data = [{"to": 3} if kind != "say_nothing" else {} for kind in kinds]
    await publish(
        address, [task(kind, f"t{n}", **each) for n, (kind, each) in enumerate(zip(kinds, data, strict=True))]
    )
    async with connect(address) as broker, connect(address) as reader, listening(reader) as heard:
        supervisor = Supervisor(broker, settings, processes=processes, drain=True)
        broker.drain_pause = 0.1
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())

        async def is_told() -> bool:
            found = {at.running.task_id: at.running for at in heard.running}
            return len(found) == 2 and found["t0"].done is not None

        await eventually(is_told)
        found = {at.running.task_id: at.running for at in heard.running}
        first, second = found["t0"], found["t1"]
        assert (first.type, first.attempt, first.done, first.total) == (kinds[0], 1, 3, 6)
        assert first.seconds >= 0
        assert (second.done, second.total) in ([(3, 6)] if settings is ASYNC else [(None, None)])
        (beat,) = heard.workers
        assert (beat.worker, beat.slots) == (f"{socket.gethostname()}:{os.getpid()}", 2)
        assert (beat.is_paused, beat.is_stopping, beat.omitted) == (False, False, 0)
        assert (beat.memory or 0) > 1_000_000

        await give(reader, Paused("ann", 1.0))
        await eventually(lambda: _says(heard.workers, is_paused=True))
        supervisor.stop()
        await eventually(lambda: _says(heard.workers, is_stopping=True))
        end.touch()
        assert await running is Exit.STOPPED
    assert sorted(row["task_id"] for row in await results(address)) == ["t0", "t1"]


async def _says(workers: list[Beat], **what: bool) -> bool:
    return all(getattr(beat, name) is value for beat in workers for name, value in what.items())


async def test_beat_has_the_longest_and_counts_the_rest(
    memory_address: Address, end: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.worker.beating.MOST_RUNNING", 1)
    await publish(memory_address, [task("count_async", f"t{n}", to=n) for n in range(3)])
    async with connect(memory_address) as reader, listening(reader) as heard:
        working = asyncio.create_task(drain(memory_address, settings=ChildSettings(ASYNC.app, concurrency=3)))

        async def is_told() -> bool:
            return heard.omitted == 2

        await eventually(is_told)
        (at,) = heard.running
        assert at.running.task_id == "t0"
        end.touch()
        assert await working is Exit.DRAINED

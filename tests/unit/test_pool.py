"""What the supervisor believes of a child must be what the child does, or its reports are not understood."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import deque
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.batch import PATIENCE, eventually
from warrener.brokers import Delivery
from warrener.models import Envelope, Record
from warrener.worker.manifest import ChildSettings
from warrener.worker.pool import Owner, Pool, RunningAttempt
from warrener.worker.pool.child import ChildProcess
from warrener.worker.printer import Printer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from warrener.worker.frames import Report


def test_what_was_given_after_a_wish_to_have_tasks_back_runs_when_they_are_back() -> None:
    child = a_child(slots=1)
    first, second, third, fourth = runs = [a_run(key) for key in range(4)]
    for run in runs[:2]:
        child.assign(run, now=1.0)
    # The child is asked to give back what it has not begun. Meanwhile the first is reported, and more is given.
    assert child.finish(first.key, now=2.0) is first
    for run in runs[2:]:
        child.assign(run, now=3.0)

    assert child.take_back({second.key}, now=4.0) == [second]

    assert list(child.running.values()) == [third]
    assert third.started == 4.0
    assert child.finish(third.key, now=5.0) is third
    assert child.finish(fourth.key, now=6.0) is fourth
    child.disconnect()


async def test_neighbours_of_a_task_that_was_killed_at_its_time_limit_are_not_to_blame() -> None:
    owner = _Blame()
    pool = Pool(ChildSettings(), owner, processes=0)
    pool._roster.is_closed = True  # or another child would be wanted
    child = a_child(slots=2)
    late, neighbour = a_run(0), a_run(1)
    for run in (late, neighbour):
        child.assign(run, now=1.0)
    child.pid, child.overdue = 4711, [late]
    pool.children.append(child)
    assert child.finish(late.key, now=2.0) is late  # its report came when the child was being killed

    pool._reap(child.pid, -9)

    assert (owner.crashed, owner.returned) == ([], [neighbour])


async def test_pool_that_can_watch_no_limits_any_more_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    app = tmp_path / "plain.py"
    app.write_text("from warrener import App\napp = App()\n@app.task\ndef echo() -> None: ...\n")
    pool = Pool(ChildSettings(str(app)), processes=1)
    monkeypatch.setattr("warrener.worker.pool.pool.watch_time", broken)
    await pool.start()

    try:
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(PATIENCE):
                await pool.wait_lost()
    finally:
        await pool.stop()


async def test_pool_whose_owner_breaks_over_a_report_says_so(tmp_path: Path) -> None:
    class Broken(Owner):
        def on_report(self, attempt: RunningAttempt, report: Report, worker: str) -> None:
            raise ZeroDivisionError

    app = tmp_path / "plain.py"
    app.write_text("from warrener import App\napp = App()\n@app.task\ndef echo() -> None: ...\n")
    pool = Pool(ChildSettings(str(app)), Broken(), processes=1)
    await pool.start()
    await pool.have_begun()
    pool.submit(deque([a_run(1)]))

    try:
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(PATIENCE):
                await pool.wait_lost()
    finally:
        await pool.stop()


async def test_fork_server_that_hangs_is_killed_with_all_that_its_children_have_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_fork_servers: None
) -> None:
    monkeypatch.setattr("warrener.worker.fork_server._ENDS_WITHIN", 0.0)
    fifo, app = tmp_path / "fifo", tmp_path / "starting.py"
    os.mkfifo(fifo)
    app.write_text(
        "import subprocess\nfrom warrener import App\napp = App()\n@app.task\ndef echo() -> None:\n"
        f"    subprocess.run('echo begun; sleep 1000000', shell=True, stdout=open({str(fifo)!r}, 'w'))\n"
    )
    pool = Pool(ChildSettings(str(app)), processes=1)
    await pool.start()
    await pool.have_begun()
    pool.submit(deque([a_run(1)]))
    with await asyncio.to_thread(fifo.open, "rb", buffering=0) as started:
        assert await asyncio.to_thread(started.readline) == b"begun\n"
        os.set_blocking(started.fileno(), False)
        process = pool._fork_server._process
        assert process
        os.kill(process.pid, signal.SIGSTOP)

        async with asyncio.timeout(PATIENCE):
            await pool.stop()

        async def is_ended() -> bool:  # where somebody is left who could write there is nothing yet
            return started.read(1) == b""

        await eventually(is_ended)


class _Blame(Owner):
    def __init__(self) -> None:
        self.crashed: list[RunningAttempt] = []
        self.returned: list[RunningAttempt] = []

    def on_crashed(self, runs: Sequence[RunningAttempt], how: str, worker: str) -> None:
        self.crashed.extend(runs)

    def on_returned(self, runs: Sequence[RunningAttempt]) -> None:
        self.returned.extend(runs)


def a_child(slots: int) -> ChildProcess:
    """One that nobody has forked."""
    pipe, write = os.pipe()
    os.close(write)
    return ChildProcess(socket.socket(), pipe, Printer(), slots)


def a_run(key: int) -> RunningAttempt:
    """An attempt at a task that takes no time."""
    task = Envelope("echo", f"t{key}", msgspec.Raw(b"{}"))
    return RunningAttempt(key, Delivery(b"", f"t{key}", None, None, 0, key), task, Record(), None)

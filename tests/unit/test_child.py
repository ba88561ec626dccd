"""A child as its pool has it: a real process, and tasks that take no time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import pytest

from tests.batch import PATIENCE
from tests.unit.test_pool import a_run
from warrener.worker.manifest import ChildSettings
from warrener.worker.pool import Owner as PoolOwner
from warrener.worker.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from warrener.worker.frames import Report
    from warrener.worker.pool import RunningAttempt

TASKS = 6_000
HASTY = """
import sys
from warrener import App
sys.setswitchinterval(1e-6)  # so that a child's threads come between each other wherever they can
app = App()
@app.task
def echo() -> None: ...
"""


class Owner(PoolOwner):
    """Gives what comes back to the pool again."""

    def __init__(self, app: Path, *, tasks: int = TASKS, processes: int = 1) -> None:
        self.waiting: deque[RunningAttempt] = deque(a_run(key) for key in range(tasks))
        self.reported: list[int] = []
        self.returned = 0
        self.pool = Pool(ChildSettings(str(app)), self, processes=processes)

    def on_report(self, run: RunningAttempt, report: Report, worker: str) -> None:
        assert report.kind == "completed", report
        self.reported.append(run.key)

    def on_returned(self, runs: Sequence[RunningAttempt]) -> None:
        self.returned += len(runs)
        self.waiting.extend(runs)

    def on_orphaned(self, runs: Sequence[RunningAttempt]) -> None:
        self.waiting.extend(runs)


async def test_what_is_asked_back_comes_back_or_runs_however_close_it_is(tmp_path: Path) -> None:
    app = tmp_path / "hasty.py"
    app.write_text(HASTY)
    owner, given = Owner(app), TASKS
    await owner.pool.start()

    try:
        async with asyncio.timeout(PATIENCE):
            while len(owner.reported) < given or not owner.returned:
                if len(owner.reported) == given:  # each had begun, by chance
                    owner.waiting.extend(a_run(key) for key in range(given, given + TASKS))
                    given += TASKS
                owner.pool.submit(owner.waiting)
                owner.pool.take_back()
                await asyncio.sleep(0)
    finally:
        await owner.pool.stop()

    assert sorted(owner.reported) == list(range(given))


REFUSED = """
import os
from pathlib import Path
from warrener import App
app, fork, seen = App(), os.fork, Path(__file__).with_suffix(".seen")
def first_fork():
    if not seen.exists():
        seen.touch()
        {what}
    return fork()
os.fork = first_fork
@app.task
def echo() -> None: ...
"""


@pytest.mark.parametrize(
    "what", ["raise BlockingIOError(11, 'Resource temporarily unavailable')", "os.kill(os.getpid(), 9)"]
)
async def test_child_that_cannot_be_had_is_had_later(tmp_path: Path, what: str) -> None:
    app = tmp_path / "refused.py"
    app.write_text(REFUSED.format(what=what))
    owner = Owner(app, tasks=100, processes=3)  # one is refused, or the fork server dies with two to be read
    await owner.pool.start()

    try:
        async with asyncio.timeout(PATIENCE):
            while len(owner.reported) < 100 or len([c for c in owner.pool.children if c.pid]) < 3:
                owner.pool.submit(owner.waiting)
                await asyncio.sleep(0.01)
    finally:
        await owner.pool.stop()

    assert sorted(owner.reported) == list(range(100))

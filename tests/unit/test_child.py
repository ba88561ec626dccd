"""A child as its pool has it: a real process, and tasks that take no time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from tests.unit.test_pool import a_run
from warren.worker.frames import ChildSettings
from warren.worker.pool import Pool, _Nobody

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from warren.worker.frames import Report
    from warren.worker.pool import Run

TASKS = 20_000
HASTY = """
import sys
from warren import App
sys.setswitchinterval(1e-6)  # so that a child's threads come between each other wherever they can
app = App()
@app.task
def echo() -> None: ...
"""


class Owner(_Nobody):
    """Gives what comes back to the pool again."""

    def __init__(self, app: Path) -> None:
        self.waiting: deque[Run] = deque(a_run(key) for key in range(TASKS))
        self.reported: list[int] = []
        self.returned = 0
        self.pool = Pool(ChildSettings(str(app)), self, processes=1)

    def on_report(self, run: Run, report: Report, worker: str) -> None:
        assert report.kind == "completed", report
        self.reported.append(run.key)

    def on_returned(self, runs: Sequence[Run]) -> None:
        self.returned += len(runs)
        self.waiting.extend(runs)


async def test_what_is_asked_back_comes_back_or_runs_however_close_it_is(tmp_path: Path) -> None:
    app = tmp_path / "hasty.py"
    app.write_text(HASTY)
    owner = Owner(app)
    await owner.pool.start()

    try:
        async with asyncio.timeout(PATIENCE):
            while len(owner.reported) < TASKS:
                owner.pool.submit(owner.waiting)
                owner.pool.take_back()
                await asyncio.sleep(0)
    finally:
        await owner.pool.stop()

    assert sorted(owner.reported) == list(range(TASKS))
    assert owner.returned

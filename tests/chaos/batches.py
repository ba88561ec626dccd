"""Batches are killed, edited and run again; workers are killed while they are ordered about."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.fault import Fault, under_load
from tests.chaos.trial import APP, HELD, PROCESSES
from tests.chaos.verdict import MUST_FAIL, UNTOLD

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

_RUNS: Final = 4
_KILLED: Final = {"WorkerLost": _RUNS * HELD, UNTOLD: _RUNS * HELD}
_RUN: Final = ("run", APP, "tasks.jsonl", "-o", "run.jsonl", "--processes", str(PROCESSES))
_FOR: Final = 600.0  # seconds that a run may take


async def _kill_runs(trial: Trial) -> None:
    """Each goes on where the one before was killed, and the last one has the rows of all tasks, and no others."""
    for number in range(1, _RUNS + 1):
        await _kill_run(trial, number)
    await _run_to_its_end(trial)


async def _edit_and_kill_runs(trial: Trial) -> None:
    """The same, while the tasks' file says something else each time: their rows are those of its last wording."""
    for number in range(1, _RUNS + 1):
        await _kill_run(trial, number)
        trial.tasks = [_worded_anew(task) if trial.chance.random() < 0.1 else task for task in trial.tasks]
        trial.chance.shuffle(trial.tasks)
        trial.place.tasks(trial.tasks)
    await _run_to_its_end(trial)


async def _kill_run(trial: Trial, number: int) -> None:
    run = trial.place.begin(*_RUN)
    await trial.has_done(number * len(trial.tasks) // (_RUNS + 1))
    async with trial.strike():
        await asyncio.to_thread(run.end, signal.SIGKILL)
    assert not (trial.place.path / "run.jsonl").exists()  # whole or not at all


async def _run_to_its_end(trial: Trial) -> None:
    run = trial.place.begin(*_RUN)
    code = await asyncio.to_thread(run.process.wait, _FOR)
    assert code == 1, f"it ended with {code}, though some tasks must fail: {run.said}"
    rows = {row["task_id"]: row["value"] for row in trial.place.rows("run.jsonl")}
    wanted = {task["id"]: task["data"]["n"] ** 2 for task in trial.tasks if task["type"] not in MUST_FAIL}
    assert len(trial.place.rows("run.jsonl")) == len(rows), "some task has two rows"
    assert rows == wanted, f"{len(rows.items() - wanted.items())} rows are not of this batch"


def _worded_anew(task: dict[str, Any]) -> dict[str, Any]:
    return task | {"data": task["data"] | {"n": task["data"]["n"] + 1}}


async def _kill_paused(trial: Trial) -> None:
    """A worker that begins while the queue is paused begins nothing."""
    await trial.warrener("pause")
    await trial.replace(trial.chance.choice(trial.workers), signal.SIGKILL)
    await trial.warrener("resume")


async def _kill_cancelled(trial: Trial) -> None:
    """What ran is stopped at no attempt, or lost with its worker, and all of it runs in the end."""
    await trial.warrener("cancel", "--running")
    await trial.replace(trial.chance.choice(trial.workers), signal.SIGKILL)
    await trial.warrener("resume")


FAULTS: Final = [
    Fault("run killed, and run again", _kill_runs, costs=_KILLED),
    Fault(
        "tasks' file edited, its run killed, and run again",
        _edit_and_kill_runs,
        costs=_KILLED,
    ),
    Fault("paused, a worker killed, and resumed", under_load(_kill_paused, 4), costs=_KILLED, is_free=True),
    Fault(
        "cancelled with what ran, a worker killed, and resumed",
        under_load(_kill_cancelled, 4),
        costs=_KILLED,
        is_free=True,
    ),
]

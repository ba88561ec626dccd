"""Tasks that break what they run in, or all fail at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.fault import EMBEDDED, RABBITMQ, Fault, batch
from tests.chaos.trial import HELD, WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.trial import Trial

_CHILD_KILLERS: Final = 20
_WORKER_KILLERS: Final = 2
_DELIVERIES: Final = 6  # so many workers a task may take down before it fails
_STORM: Final = 100_000


def _with(count: int, type_: str) -> Callable[[], list[dict[str, Any]]]:
    """The usual batch, with so many tasks of this type scattered in it."""

    def make() -> list[dict[str, Any]]:
        tasks = batch()
        for number in range(count):
            tasks[(2 * number + 1) * len(tasks) // (2 * count)]["type"] = type_
        return tasks

    return make


async def _work_through(trial: Trial) -> None:
    await trial.publish()
    await trial.begin_workers()
    await trial.has_done(len(trial.tasks) * 9 // 10)
    await trial.end_workers()


async def _replace_the_fallen(trial: Trial) -> None:
    """Whoever is killed is replaced, as a cluster would do, until nothing is left."""
    await trial.publish()
    await trial.begin_workers()
    while await trial.left():
        for worker in [worker for worker in trial.workers if worker.process.poll() is not None]:
            async with trial.strike():
                trial.workers.remove(worker)
                trial.workers.append(trial.begin_worker())
        await asyncio.sleep(0.1)
    # Whoever the last one took down needs no replacement.
    trial.workers = [worker for worker in trial.workers if worker.process.poll() is None]
    await trial.end_workers()


def _storm() -> list[dict[str, Any]]:
    return [{"id": f"t{n}", "type": "flaky", "data": {"n": n}, "priority": n % 10} for n in range(_STORM)]


async def _weather(trial: Trial) -> None:
    await trial.publish()
    await trial.begin_workers()
    async with trial.strike():
        await trial.has_done(_STORM)
    await trial.has_done(2 * _STORM)
    await trial.end_workers()


FAULTS: Final = [
    Fault(
        f"{_CHILD_KILLERS} tasks that kill their child",
        _work_through,
        tasks=_with(_CHILD_KILLERS, "kills_child"),
        quick_on=(EMBEDDED,),
    ),
    Fault(
        f"{_WORKER_KILLERS} tasks that kill their worker",
        _replace_the_fallen,
        costs={"WorkerLost": _WORKER_KILLERS * _DELIVERIES * WORKERS * HELD},
        tasks=_with(_WORKER_KILLERS, "kills_worker"),
    ),
    Fault(f"{_STORM:,} tasks fail at once", _weather, (EMBEDDED, RABBITMQ), tasks=_storm),
]

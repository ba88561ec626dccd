"""Processes of ours are killed, stopped for a while, or told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from tests.batch import eventually
from tests.chaos.fault import EMBEDDED, Fault, batch, under_load
from tests.chaos.trial import APP, HELD, kill
from tests.place import children

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.chaos.trial import Trial

# Longer than a lease of the embedded broker, and than RabbitMQ waits for a heartbeat.
_FROZEN: Final = 20.0
_MANY: Final = 30_000


async def _kill_child(trial: Trial) -> None:
    while not kill(await trial.victim()):
        pass


async def _kill_fork_server(trial: Trial) -> None:
    worker = trial.chance.choice(trial.workers)
    former = children(worker.process.pid)
    kill(former[0])

    async def is_replaced() -> bool:
        return children(worker.process.pid) not in ([], former)

    await eventually(is_replaced)


async def _kill_worker(trial: Trial) -> None:
    await trial.replace(trial.chance.choice(trial.workers), signal.SIGKILL)


async def _stop_worker(trial: Trial) -> None:
    """As an eviction does; the second signal says that no time is left."""
    worker = trial.chance.choice(trial.workers)
    worker.process.send_signal(signal.SIGTERM)
    await trial.replace(worker, signal.SIGTERM)


async def _freeze_worker(trial: Trial) -> None:
    worker = trial.chance.choice(trial.workers)
    worker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(_FROZEN)  # there is no fact to wait for: nothing must come of it
    worker.process.send_signal(signal.SIGCONT)


async def _kill_publishers(trial: Trial) -> None:
    """Each publishes the whole file, goes on where the one before was killed, and only the last one may end."""
    await trial.warrener("setup", APP)
    await trial.begin_workers()
    for number in range(1, 4):
        publisher = trial.place.begin("publish", trial.file)
        await trial.has_done(number * len(trial.tasks) // 10)
        async with trial.strike():
            publisher.end(signal.SIGKILL)
    await trial.warrener("publish", trial.file)
    await trial.end_workers()


async def _kill_collector(trial: Trial) -> None:
    collector = trial.place.begin("results", "--follow", "-o", "followed.jsonl")
    await _has_begun(trial.place.path, "followed.jsonl")
    await asyncio.to_thread(collector.end, signal.SIGKILL)
    assert not (trial.place.path / "followed.jsonl").exists()  # whole or not at all


async def _has_begun(directory: Path, name: str) -> None:
    async def has_begun() -> bool:
        return any(directory.glob(f".{name}*")) or any(directory.glob(f"{name}.*"))

    await eventually(has_begun)


async def _kill_watcher(trial: Trial) -> None:
    watcher = trial.place.begin("status", "--watch")
    await watcher.says("ready ")
    await asyncio.to_thread(watcher.end, signal.SIGKILL)


def _many() -> list[dict[str, Any]]:
    """So many, and so fast, that publishing takes a while beside them."""
    return [
        task if task["type"] != "square" else task | {"data": task["data"] | {"seconds": 0.0005}}
        for task in batch(_MANY)
    ]


FAULTS: Final = [
    Fault("child killed", under_load(_kill_child, 10), costs={"Crashed": 10}),
    Fault("importing process killed, its children with it", under_load(_kill_fork_server), is_free=True),
    Fault("worker killed", under_load(_kill_worker, 4), costs={"WorkerLost": 4 * HELD}, quick_on=(EMBEDDED,)),
    Fault("worker told to end at once", under_load(_stop_worker, 4), is_free=True, tasks=_many),
    Fault(f"worker frozen for {_FROZEN:.0f} s", under_load(_freeze_worker, 1), costs={"WorkerLost": HELD}),
    Fault("publisher killed, and resumed", _kill_publishers, is_free=True, tasks=_many),
    Fault("collector killed, and run again", under_load(_kill_collector)),
    Fault("status watcher killed", under_load(_kill_watcher)),
]

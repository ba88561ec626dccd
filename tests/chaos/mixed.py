"""Everything at once, for long: publish, work, retry, scale up and down, kill, cut, restart."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.fault import EMBEDDED, RABBITMQ, Fault, batch
from tests.chaos.trial import APP, kill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chaos.trial import Trial
    from tests.place import Running

    _Deed = Callable[[Trial, list[Running]], Awaitable[None]]

_ROUND: Final = 1000
_MOST_WORKERS: Final = 4
# What an allocator may hold on to besides: no leak is so small after some hundred thousand tasks.
_SLACK: Final = 8 * 1024 * 1024


def fault(minutes: float) -> Fault:
    """A batch that grows for so long."""
    return Fault(
        f"all of it mixed, for {minutes:g} min",
        partial(_rage, minutes=minutes),
        on=(EMBEDDED, RABBITMQ),
        costs={"Crashed": 10**6, "WorkerLost": 10**6},
        is_free=True,
        tasks=list,
    )


async def _rage(trial: Trial, *, minutes: float) -> None:
    await trial.warrener("setup", APP)
    await trial.begin_workers(2)
    steady = trial.workers[0]
    await _publish_more(trial)  # which adds the delays that apps have by default
    queues = await _queues(trial)
    memory: list[int] = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        await _publish_more(trial)
        await trial.has_done(int(len(trial.tasks) * 0.9) - _ROUND // 2)
        async with trial.strike():
            await trial.chance.choice(_deeds(trial))(trial, [w for w in trial.workers if w is not steady])
        memory.append(_memory(steady))
    await trial.has_done(int(len(trial.tasks) * 0.97))
    _is_flat(memory)
    await _has_no_strays(trial)
    left = await _queues(trial)
    assert left == queues, f"there were {queues}, and there are {left}"
    await trial.end_workers()


async def _publish_more(trial: Trial) -> None:
    first = len(trial.tasks)
    more = [
        task
        | {
            "id": f"t{first + n}",
            "data": {"n": first + n} | ({"seconds": 0.04} if task["type"] == "square" else {}),
        }
        for n, task in enumerate(batch(_ROUND))
    ]
    trial.tasks += more
    file = trial.place.tasks(more, "more.jsonl")
    if trial.chance.random() < 0.2:
        publisher = trial.place.begin("publish", file)
        await asyncio.sleep(trial.chance.random())  # wherever that is
        publisher.end(signal.SIGKILL)
    await trial.warrener("publish", file)


def _deeds(trial: Trial) -> list[_Deed]:
    deeds: list[_Deed] = [
        _kill_child,
        _kill_child,
        _kill_worker,
        _kill_worker,
        _stop_worker,
        _scale,
        _scale,
        _collect,
    ]
    if trial.arena.server:
        deeds.append(_restart_broker)
    if trial.arena.proxy:
        deeds += [_cut, _cut]
    return deeds


async def _kill_child(trial: Trial, _: list[Running]) -> None:
    kill(await trial.victim())


async def _kill_worker(trial: Trial, workers: list[Running]) -> None:
    if workers:
        await trial.replace(trial.chance.choice(workers), signal.SIGKILL)


async def _stop_worker(trial: Trial, workers: list[Running]) -> None:
    if workers:
        await trial.replace(trial.chance.choice(workers), signal.SIGTERM)


async def _scale(trial: Trial, workers: list[Running]) -> None:
    wanted = trial.chance.randint(0, _MOST_WORKERS - 1)
    for worker in workers[wanted:]:
        trial.workers.remove(worker)
        assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 75
    await trial.begin_workers(max(0, wanted - len(workers)))


async def _collect(trial: Trial, _: list[Running]) -> None:
    done = await asyncio.to_thread(trial.place.warrener, "results", "-o", "so-far.jsonl")
    assert done.returncode in (0, 1), done.stderr


async def _cut(trial: Trial, _: list[Running]) -> None:
    assert trial.arena.proxy
    trial.arena.proxy.cut_all()


async def _restart_broker(trial: Trial, _: list[Running]) -> None:
    server = trial.arena.server
    assert server
    await asyncio.to_thread(trial.chance.choice([server.kill, server.stop]))
    await asyncio.to_thread(server.start)


def _memory(worker: Running) -> int:
    """Bytes that the supervisor holds."""
    return int(Path(f"/proc/{worker.process.pid}/statm").read_text("utf-8").split()[1]) * 4096


def _is_flat(memory: list[int]) -> None:
    quarter = len(memory) // 4
    early, late = memory[quarter : 2 * quarter], memory[-quarter:]
    if quarter:
        assert max(late) < max(early) + _SLACK, (
            f"the supervisor grew from {max(early):,} to {max(late):,} bytes"
        )


async def _has_no_strays(trial: Trial) -> None:
    """One connection for each worker, with as many channels."""
    if trial.arena.server is None:
        return
    connections = await _list(trial, "connections", "channels")
    assert len(connections) == len(trial.workers), f"{len(trial.workers)} workers, connections: {connections}"
    assert len({connection["channels"] for connection in connections}) == 1, connections


async def _queues(trial: Trial) -> list[str]:
    if trial.arena.server is None:
        return []
    names: list[str] = [queue["name"] for queue in await _list(trial, "queues", "name")]
    return sorted(name for name in names if name.startswith(trial.address.queue))


async def _list(trial: Trial, what: str, *columns: str) -> list[dict[str, Any]]:
    words = [f"list_{what}", *columns, "--formatter", "json"]
    found: list[dict[str, Any]] = json.loads(await asyncio.to_thread(trial.server.ctl, *words))
    return found

"""RabbitMQ itself is stopped, killed, short of memory or disk, or taken away from its users."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from tests.batch import eventually
from tests.chaos.fault import RABBITMQ, Fault, cuts, under_load
from tests.chaos.trial import APP

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

_ON: Final = (RABBITMQ,)
_LOST: Final = cuts(4)


async def _restart(trial: Trial) -> None:
    await asyncio.to_thread(trial.server.stop)
    await asyncio.to_thread(trial.server.start)


async def _kill(trial: Trial) -> None:
    await asyncio.to_thread(trial.server.kill)
    await asyncio.to_thread(trial.server.start)


async def _close_connections(trial: Trial) -> None:
    await _ctl(trial, "close_all_connections", "an operator did it")


async def _alarm_memory(trial: Trial) -> None:
    await _ctl(trial, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        await _is_blocked(trial)
    finally:
        await _ctl(trial, "set_vm_memory_high_watermark", "absolute", "2GB")


async def _alarm_disk(trial: Trial) -> None:
    await _ctl(trial, "set_disk_free_limit", "1000000GB")
    try:
        await _is_blocked(trial)
    finally:
        await _ctl(trial, "set_disk_free_limit", "50MB")


async def _is_blocked(trial: Trial) -> None:
    """Wait until RabbitMQ takes nothing more from anyone who publishes."""

    async def is_blocked() -> bool:
        listed = json.loads(await _ctl(trial, "list_connections", "state", "--formatter", "json"))
        return any(connection["state"] in {"blocked", "blocking"} for connection in listed)

    await eventually(is_blocked)


async def _refuse_connections(trial: Trial) -> None:
    """The virtual host may have no connection any more; then it may."""
    before = _refusals(trial)
    await _ctl(trial, "set_vhost_limits", json.dumps({"max-connections": 0}))
    try:
        await _close_connections(trial)

        async def are_refused() -> bool:
            return _refusals(trial) >= before + len(trial.workers)

        await eventually(are_refused)
    finally:
        await _ctl(trial, "clear_vhost_limits")


def _refusals(trial: Trial) -> int:
    return trial.server.log.read_text("utf-8", "replace").count("connection limit (0) is reached")


async def _revoke(trial: Trial) -> None:
    """The workers' password is another one all at once: they end, since they can do nothing more."""
    user, password = trial.address.credentials
    await trial.publish()
    await trial.begin_workers()
    await trial.has_done(len(trial.tasks) // 2)
    async with trial.strike():
        await _ctl(trial, "change_password", user, "another")
        try:
            await _close_connections(trial)
            for worker in trial.workers:
                assert await asyncio.to_thread(worker.end) == 78, worker.said
                assert password not in worker.said
        finally:
            await _ctl(trial, "change_password", user, password)
        trial.workers.clear()
    await trial.begin_workers()
    await trial.end_workers()


async def _delete_work_queue(trial: Trial) -> None:
    """With what waits in it. The workers end; who publishes the same file again has every task done once."""
    await trial.publish()
    await trial.begin_workers()
    await trial.has_done(len(trial.tasks) // 2)
    async with trial.strike():
        await _ctl(trial, "delete_queue", trial.address.queue)
        for worker in trial.workers:
            assert await asyncio.to_thread(worker.end) == 78, worker.said
        trial.workers.clear()
        await trial.warrener("setup", APP)
        again = trial.place.tasks(trial.tasks, "again.jsonl")
        await trial.warrener("publish", again)
        await trial.begin_workers()
    await trial.end_workers()


def _long_ones() -> list[dict[str, Any]]:
    """Three times as long as the broker waits for an acknowledgement."""
    return [{"id": f"t{n}", "type": "square", "data": {"n": n, "seconds": 6}} for n in range(8)]


async def _time_out(trial: Trial) -> None:
    await trial.publish()
    await trial.begin_workers()
    await trial.has_done(4)
    await trial.end_workers()


async def _ctl(trial: Trial, *words: str) -> str:
    return await asyncio.to_thread(trial.server.ctl, *words)


FAULTS: Final = [
    Fault("broker stopped and started", under_load(_restart, 2), _ON, costs=_LOST),
    Fault("broker killed and started", under_load(_kill, 2), _ON, costs=_LOST, quick_on=(RABBITMQ,)),
    Fault("connections closed by an operator", under_load(_close_connections), _ON, costs=_LOST),
    Fault("tasks longer than the broker waits for an ack", _time_out, _ON, tasks=_long_ones),
    Fault("memory alarm raised and lifted", under_load(_alarm_memory, 2), _ON),
    Fault("disk alarm raised and lifted", under_load(_alarm_disk, 2), _ON),
    Fault("limit of connections reached, then lifted", under_load(_refuse_connections, 1), _ON, costs=_LOST),
    Fault("credentials revoked", _revoke, _ON, costs=_LOST),
    Fault("work queue deleted, file published again", _delete_work_queue, _ON, is_free=True, costs=_LOST),
]

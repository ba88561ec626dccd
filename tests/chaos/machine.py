"""The machine's clock jumps, and its disk fails."""

from __future__ import annotations

import asyncio
import errno
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.chaos.fault import EMBEDDED, RABBITMQ, Fault, cuts
from tests.machine import Clock, Disk, build

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

_HOUR: Final = 3600


async def _jump(trial: Trial) -> None:
    clock = Clock(trial.place, build(trial.place.path))
    await trial.publish()
    await trial.begin_workers()
    jumps = [_HOUR, -_HOUR, 0]
    for number, jump in enumerate(jumps, 1):
        await trial.has_done(number * len(trial.tasks) // (len(jumps) + 1))
        async with trial.strike():
            clock.jump(jump)
    await trial.end_workers()


async def _fail_disk(trial: Trial, *, call: str, error: int) -> None:
    disk = Disk(trial.place, build(trial.place.path))
    await trial.publish()
    await trial.begin_workers()
    for number in range(1, 3):
        await trial.has_done(number * len(trial.tasks) // 3)
        said = [worker.said for worker in trial.workers]
        async with trial.strike():
            disk.fail(call, error)
            for worker, before in zip(trial.workers, said, strict=True):
                await worker.says("trying again", after=before)
            disk.mend()
    await trial.end_workers()


async def _move_file(trial: Trial) -> None:
    """The workers end when their file is gone; others go on when it is back."""
    files = [trial.address.path.with_name(trial.address.path.name + end) for end in ("", "-wal", "-shm")]
    await trial.publish()
    await trial.begin_workers()
    await trial.has_done(len(trial.tasks) // 2)
    async with trial.strike():
        for file in files:
            file.rename(file.with_name(f"moved-{file.name}"))
        for worker in trial.workers:
            code = await asyncio.to_thread(worker.end)
            assert code == 75, f"a worker ended with {code}: {worker.said}"
        for file in files:
            if (moved := file.with_name(f"moved-{file.name}")).exists():
                moved.rename(file)
        trial.workers.clear()
        await trial.begin_workers()
    await trial.end_workers()


FAULTS: Final = [
    Fault("wall clock put an hour on, two back, one on", _jump, (EMBEDDED, RABBITMQ)),
    Fault("disk full", partial(_fail_disk, call="write", error=errno.ENOSPC), (EMBEDDED,)),
    Fault("disk that fails to sync", partial(_fail_disk, call="sync", error=errno.EIO), (EMBEDDED,)),
    Fault("file moved away and back", _move_file, (EMBEDDED,), costs=cuts(2)),
]

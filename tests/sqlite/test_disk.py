"""A disk that fails for a while: one clear sentence, nothing lost, nothing twice, and on it goes when it is well."""

from __future__ import annotations

import errno
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.sqlite.gated import APP, Gated, ask, publish_half, publish_rest

if TYPE_CHECKING:
    from tests.machine import Disk
    from tests.place import Place

WORK = ["work", APP, "--processes", "1"]
FULL = "the disk is full; free some room and go on, nothing is lost"
BROKEN = "disk I/O error; see whether the disk is well and has room, then go on"


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [("write", errno.ENOSPC, FULL), ("write", errno.EIO, BROKEN), ("sync", errno.EIO, BROKEN)],
)
async def test_worker_rides_it_out(place: Place, disk: Disk, call: str, error: int, sentence: str) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"), gated.task("b", gate="other"))
    worker = place.begin("work", APP, "--processes", "2", "--drain")
    await gated.have_begun(2)

    disk.fail(call, error)
    gated.open()
    await worker.says(f"{sentence}; trying again for 300 s")
    gated.open("other")
    disk.mend()

    assert worker.end() == 0
    assert "can be written again" in worker.said
    assert "Traceback" not in worker.said
    assert sorted(gated.begun) == ["a", "b"]
    assert {name: row["attempts"] for name, row in gated.rows().items()} == {"a": 1, "b": 1}


async def test_worker_that_begins_meanwhile_takes_nobodys_number(place: Place, disk: Disk) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"), gated.task("b"))
    disk.fail("sync", errno.EIO)
    first = place.begin(*WORK)
    await first.says("trying again")
    preload = place.environment.pop("LD_PRELOAD")
    second = place.begin(*WORK)
    await gated.have_begun(1)
    disk.mend()

    await gated.have_begun(2)
    assert ask(place, "SELECT count(*), count(DISTINCT owner) FROM tasks") == [(2, 2)]
    gated.open()

    assert await _are_completed(place, 2)
    place.environment["LD_PRELOAD"] = preload
    assert {first.end(signal.SIGTERM), second.end(signal.SIGTERM)} == {75}
    assert [row["attempts"] for row in gated.rows().values()] == [1, 1]
    assert sorted(gated.begun) == ["a", "b"]


async def test_worker_that_is_stopped_meanwhile_ends_and_its_task_comes_back(
    place: Place, disk: Disk
) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"))
    worker = place.begin(*WORK, "--grace", "0")
    await gated.have_begun(1)
    disk.fail("write", errno.ENOSPC)
    gated.open()
    await worker.says("trying again")

    assert worker.end(signal.SIGTERM) == 75

    assert "outcomes that the broker did not take: 1; those tasks run again" in worker.said
    assert "Traceback" not in worker.said
    disk.mend()
    assert place.warrener(*WORK, "--drain").returncode == 0
    assert gated.rows()["a"]["attempts"] == 2


async def test_publish_ends_and_goes_on_from_the_line_it_says(place: Place, disk: Disk) -> None:
    gated = Gated(place)
    tasks = [{"id": f"t{n}", "type": "echo", "data": {"number": n}} for n in range(6000)]
    publisher, rest = await publish_half(place, tasks)
    disk.fail("write", errno.ENOSPC)
    publish_rest(publisher, rest)

    assert publisher.end() == 3

    assert FULL in publisher.said
    assert "Traceback" not in publisher.said
    start = re.search(r"--start-line (\d+)", publisher.said)
    assert start is not None
    disk.mend()
    assert place.warrener("publish", "tasks.jsonl", "--start-line", start[1]).returncode == 0
    assert place.warrener(*WORK, "--drain").returncode == 0
    assert {name: row["value"] for name, row in gated.rows().items()} == {f"t{n}": n for n in range(6000)}


def test_run_ends_and_goes_on(place: Place, disk: Disk) -> None:
    file = place.tasks([{"type": "echo"}] * 300)
    place.warrener("setup", APP)
    disk.fail("write", errno.ENOSPC, ".db-wal")

    failed = place.warrener("run", APP, file, "-o", "out.jsonl")

    assert failed.returncode == 3, failed.stderr
    assert FULL in failed.stderr
    assert "Traceback" not in failed.stderr
    disk.mend()
    done = place.warrener("run", APP, file, "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert "300 tasks: 300 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr


def test_results_leave_the_former_file_and_nothing_else(place: Place, disk: Disk) -> None:
    file = place.tasks([{"type": "echo"}] * 300)
    place.warrener("run", APP, file, "-o", "out.jsonl")
    former = (place.path / "out.jsonl").read_text()
    files = sorted(found.name for found in place.path.iterdir())
    disk.fail("write", errno.ENOSPC, ".out.jsonl")

    failed = place.warrener("results", "-o", "out.jsonl")

    assert failed.returncode == 2
    assert "out.jsonl cannot be written: No space left on device" in failed.stderr
    assert "Traceback" not in failed.stderr
    disk.mend()
    assert (place.path / "out.jsonl").read_text() == former
    assert sorted(found.name for found in place.path.iterdir()) == files
    assert place.warrener("results", "-o", "out.jsonl").returncode == 0
    assert (place.path / "out.jsonl").read_text() == former


async def _are_completed(place: Place, count: int) -> bool:
    async def are() -> bool:
        return ask(place, "SELECT count(*) FROM results") == [(count,)]

    await eventually(are)
    return True

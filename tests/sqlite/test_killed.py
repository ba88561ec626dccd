"""Killed in the middle of a write: each task is counted once all the same."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.sqlite.gated import APP, Gated, publish_half, publish_rest

if TYPE_CHECKING:
    from tests.machine import Disk
    from tests.place import Place

WORK = ["work", APP, "--processes", "1"]


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_worker_in_the_middle_of_a_turn(place: Place, disk: Disk, call: str) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"), *({"id": f"t{n}", "type": "echo"} for n in range(10)))
    worker = place.begin(*WORK)
    await gated.have_begun(1)
    disk.kill(call, ".db-wal")
    gated.open()
    assert worker.end() == -signal.SIGKILL
    disk.mend()

    assert place.warrener(*WORK, "--drain").returncode == 0

    rows = gated.rows()
    assert len(rows) == 11
    # What it held is charged, unless it was written down after all; what it did not hold is not.
    held = ["WorkerLost"] if len(gated.begun) == 2 else []
    assert [attempt["error"] for attempt in rows["a"].get("history", ())] == held
    assert rows["a"]["attempts"] == 1 + len(held)
    assert {row["attempts"] for name, row in rows.items() if name != "a"} == {1}
    if call == "write":
        assert held


async def test_publisher_in_the_middle_of_a_batch(place: Place, disk: Disk) -> None:
    tasks = [{"id": f"t{n}", "type": "echo", "data": {"number": n}} for n in range(6000)]
    publisher, rest = await publish_half(place, tasks)
    disk.kill("write", ".db-wal")
    publish_rest(publisher, rest)
    assert publisher.end() == -signal.SIGKILL
    disk.mend()

    done = place.warrener("run", APP, "tasks.jsonl", "-o", "out.jsonl")

    assert done.returncode == 0, done.stderr
    assert "6,000 tasks: 6,000 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr
    rows = place.rows("out.jsonl")
    assert {row["task_id"]: row["value"] for row in rows} == {f"t{n}": n for n in range(6000)}
    assert len(rows) == 6000


@pytest.mark.parametrize("call", ["write", "sync"])
def test_collector_in_the_middle_of_its_file(place: Place, disk: Disk, call: str) -> None:
    file = place.tasks([{"type": "echo"}] * 300)
    place.warrener("run", APP, file, "-o", "first.jsonl")
    disk.kill(call, ".out.jsonl")
    assert place.warrener("results", "-o", "out.jsonl").returncode == -signal.SIGKILL
    assert not (place.path / "out.jsonl").exists()
    disk.mend()

    done = place.warrener("results", "-o", "out.jsonl")

    assert "300 tasks: 300 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr
    assert (place.path / "out.jsonl").read_text() == (place.path / "first.jsonl").read_text()
    assert not list(place.path.glob(".out.jsonl*"))

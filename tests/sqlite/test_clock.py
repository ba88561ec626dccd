"""Leases and delays go by a clock that nobody sets, and end with the machine's run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.sqlite.gated import APP, Gated, ask
from warrener.brokers import connect

if TYPE_CHECKING:
    from tests.machine import Clock
    from tests.place import Place

HOUR = 3600
WORK = ["work", APP, "--processes", "1"]


async def test_clock_put_back_ends_no_lease(place: Place, clock: Clock) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"))
    worker = place.begin(*WORK)
    await gated.have_begun(1)
    clock.jump(-HOUR)
    await _has_renewed(place)
    clock_of_others = place.environment.pop("LD_PRELOAD")
    gated.publish({"id": "b", "type": "echo"})

    other = place.begin(*WORK)
    await _are_completed(place, 1)  # so the other one has looked for lost workers

    gated.open()
    await _are_completed(place, 2)
    place.environment["LD_PRELOAD"] = clock_of_others
    assert {worker.end(signal.SIGTERM), other.end(signal.SIGTERM)} == {75}
    assert gated.begun == ["a"]
    assert [row["attempts"] for row in gated.rows().values()] == [1, 1]


async def test_clock_put_ahead_keeps_no_dead_lease(place: Place, clock: Clock) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a", "hold_first"))
    worker = place.begin(*WORK)
    await gated.have_begun(1)
    clock.jump(HOUR)
    await _has_renewed(place)
    worker.end(signal.SIGKILL)
    clock.jump(0)

    assert place.warrener(*WORK, "--drain").returncode == 0

    row = gated.rows()["a"]
    assert (row["attempts"], [attempt["error"] for attempt in row["history"]]) == (2, ["WorkerLost"])


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_delay_is_as_long_as_asked_for_whatever_the_clock_does(
    place: Place, clock: Clock, seconds: int
) -> None:
    gated = Gated(place)
    gated.open()
    gated.publish(gated.task("a", "again", after=4.0))
    worker = place.begin(*WORK, "--drain")
    await gated.have_begun(1)
    await _is_delayed(place)
    clock.jump(seconds)

    assert worker.end() == 0

    row = gated.rows()["a"]
    assert row["value"] >= 4.0
    assert row["attempts"] == 2


async def test_clock_put_back_turns_no_task_round(place: Place, clock: Clock) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"))
    worker = place.begin(*WORK, "--drain")
    watching = place.begin("status", "--watch")
    await gated.have_begun(1)
    clock.jump(-HOUR)
    gated.open()

    assert worker.end() == 0

    assert watching.end() == 0
    assert "| -" not in watching.said
    row = gated.rows()["a"]
    assert row["processed_at"] >= row["started_at"]
    assert row["processed_at"] - row["started_at"] == pytest.approx(row["duration"], abs=1e-3)


@pytest.mark.parametrize("boot", [0, 12345])
async def test_after_a_reboot_every_lease_is_over_and_every_delay(place: Place, boot: int) -> None:
    """A file of before, in which times are those of the wall, is as one of another boot."""
    gated = Gated(place)
    gated.publish(*({"id": name, "type": "echo"} for name in ("held", "delayed", "ready")))
    ask(place, "INSERT INTO workers VALUES (7, 1e10)")
    ask(place, "UPDATE tasks SET state = 2, owner = 7 WHERE id = 'held'")
    ask(place, "UPDATE tasks SET state = 1, due = 1e10 WHERE id = 'delayed'")
    ask(place, f"PRAGMA user_version = {boot}")
    async with connect(place.address) as broker:
        assert (await broker.counts()).workers == 0

    assert place.warrener(*WORK, "--drain").returncode == 0

    rows = gated.rows()
    assert {name: row["attempts"] for name, row in rows.items()} == {"held": 2, "delayed": 1, "ready": 1}
    assert [attempt["error"] for attempt in rows["held"]["history"]] == ["WorkerLost"]


async def _has_renewed(place: Place) -> None:
    query = "SELECT * FROM workers"
    before = ask(place, query)

    async def is_newer() -> bool:
        return ask(place, query) != before

    await eventually(is_newer)


async def _are_completed(place: Place, count: int) -> None:
    async def are() -> bool:
        return ask(place, "SELECT count(*) FROM results") == [(count,)]

    await eventually(are)


async def _is_delayed(place: Place) -> None:
    async def is_delayed() -> bool:
        return ask(place, "SELECT count(*) FROM tasks WHERE state = 1") == [(1,)]

    await eventually(is_delayed)

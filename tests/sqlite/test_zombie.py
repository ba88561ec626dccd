"""A worker that stood still for longer than its lease: its tasks are others' by then."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.sqlite.gated import APP, Gated, ask

if TYPE_CHECKING:
    from tests.place import Place

WORK = ["work", APP, "--processes", "1"]


@pytest.mark.parametrize("ends_late", [False, True])
async def test_it_overwrites_nothing_and_works_on(place: Place, ends_late: bool) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a", "hold_first"))
    zombie = place.begin(*WORK)
    await gated.have_begun(1)
    zombie.process.send_signal(signal.SIGSTOP)
    assert place.warrener(*WORK, "--drain").returncode == 0
    row = gated.rows()["a"]
    assert (row["attempts"], [attempt["error"] for attempt in row["history"]]) == (2, ["WorkerLost"])

    if not ends_late:
        gated.open()
        await gated.have_begun(3)
    zombie.process.send_signal(signal.SIGCONT)
    if ends_late:
        await _has_registered(place)
        gated.open()
        await gated.have_begun(3)
    gated.publish(gated.task("b"))
    await _has_no_task(place)

    assert zombie.end(signal.SIGTERM) == 75
    assert gated.begun == ["a", "a", "a ends", "b"]
    rows = gated.rows()
    assert rows["a"] == row
    assert rows["b"]["attempts"] == 1


async def test_what_it_runs_on_with_is_not_run_again_when_nobody_else_took_it(place: Place) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"))
    zombie = place.begin(*WORK)
    await gated.have_begun(1)
    zombie.process.send_signal(signal.SIGSTOP)
    # What another worker does that finds the lease over, and ends before it takes anything.
    ask(place, "UPDATE tasks SET state = 0, owner = NULL, lost = lost + 1")
    ask(place, "DELETE FROM workers")

    zombie.process.send_signal(signal.SIGCONT)
    await _has_registered(place)
    gated.open()
    await _has_no_task(place)

    assert zombie.end(signal.SIGTERM) == 75
    assert gated.begun == ["a"]
    assert gated.rows()["a"]["attempts"] == 1


async def _has_registered(place: Place) -> None:
    async def is_there() -> bool:
        return ask(place, "SELECT count(*) FROM workers") == [(1,)]

    await eventually(is_there)


async def _has_no_task(place: Place) -> None:
    async def has_none() -> bool:
        return ask(place, "SELECT count(*) FROM tasks") == [(0,)]

    await eventually(has_none)

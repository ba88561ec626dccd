"""Two workers on one file keep the order of priority, retries included."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.batch import eventually, publish, task
from tests.sqlite.gated import APP, Gated, ask
from warrener.brokers import connect

if TYPE_CHECKING:
    import pytest

    from tests.place import Place
    from warrener.address import Address

WORK = ["work", APP, "--processes", "1"]


async def test_retries_go_before_what_is_less_urgent(place: Place) -> None:
    gated = Gated(place)
    low = [gated.task(f"low{n}", gate="low", priority=1) for n in range(4)]
    high = [gated.task(f"high{n}", "again", gate="high", priority=9, after=60.0) for n in range(2)]
    gated.publish(*low, *high)
    workers = [place.begin(*WORK), place.begin(*WORK)]
    # Both that are urgent, and, while these are delayed, one of the others for each worker.
    await gated.have_begun(4)
    await _have_become_due(place, 2)

    gated.open("low")
    await gated.have_begun(6)
    gated.open("high")

    await _is_empty(place)
    assert [worker.end(signal.SIGTERM) for worker in workers] == [75, 75]
    # Of the first four only which they are is sure: a worker may be two tasks ahead of the other.
    assert [sorted(gated.begun[:4]), sorted(gated.begun[4:6]), sorted(gated.begun[6:])] == [
        ["high0", "high1", "low0", "low1"],
        ["high0", "high1"],
        ["low2", "low3"],
    ]
    assert {name[:-1]: row["attempts"] for name, row in gated.rows().items()} == {"low": 1, "high": 2}


async def _have_become_due(place: Place, count: int) -> None:
    """Wait until so many are delayed, and let their delays be over."""

    async def are_delayed() -> bool:
        return ask(place, "SELECT count(*) FROM tasks WHERE state = 1") == [(count,)]

    await eventually(are_delayed)
    ask(place, "UPDATE tasks SET due = 0 WHERE state = 1")


async def _is_empty(place: Place) -> None:
    async def is_empty() -> bool:
        return ask(place, "SELECT count(*) FROM tasks") == [(0,)]

    await eventually(is_empty)


async def test_more_ready_tasks_than_are_quickly_counted_are_not_told_by_priority(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(sqlite_address, [task("echo", "a", 9), task("echo", "b"), task("echo", "c")])
    async with connect(sqlite_address) as broker:
        for most, expected in ((3, {9: 1, 5: 2}), (2, None)):
            monkeypatch.setattr("warrener.brokers.sqlite.reading._MOST_COUNTED", most)
            assert await broker.ready_by_priority() == expected

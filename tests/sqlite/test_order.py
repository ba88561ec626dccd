"""Two workers on one file keep the order of priority, retries included."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.batch import drain, eventually, publish, results, task
from tests.sqlite.gated import APP, Gated, ask
from warrener.brokers import connect
from warrener.exit_codes import Exit

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


async def test_of_many_ready_tasks_one_priority_is_what_the_others_are_not(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [
        task("echo", "a", 9),
        task("echo", "b"),
        task("echo", "c"),
        task("echo", "d", 1),
        task("echo", "e", 1),
    ]
    async with connect(sqlite_address) as broker:
        for published, most, expected in (
            (tasks[1:3], 0, {5: 2}),
            (tasks[:1], 0, None),
            ([], 1, {9: 1, 5: 2}),
            (tasks[3:], 1, None),
            ([], 3, {9: 1, 5: 2, 1: 2}),
        ):
            await publish(sqlite_address, published)
            monkeypatch.setattr("warrener.brokers.sqlite.reading._MOST_COUNTED", most)
            assert await broker.ready_by_priority() == expected, (most, expected)


async def test_ready_tasks_are_counted_by_an_index_that_has_all_and_kept_in_their_order_by_it(
    sqlite_address: Address,
) -> None:
    await publish(sqlite_address, [task("echo", "a")])
    with closing(sqlite3.connect(sqlite_address.path)) as db:
        for query in (
            "SELECT count(*) FROM tasks",
            "SELECT seq FROM tasks WHERE state = 0 ORDER BY priority DESC, seq LIMIT 9",
        ):
            plan = str(db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
            assert "USING COVERING INDEX tasks_in_order" in plan
            assert "TEMP B-TREE" not in plan


async def test_file_of_an_earlier_version_is_counted_and_worked_on_by_the_indexes_that_it_has(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(sqlite_address, [task("echo", "a", 9), task("echo", "b"), task("echo", "c")])
    with closing(sqlite3.connect(sqlite_address.path, isolation_level=None)) as db:
        db.execute("DROP INDEX tasks_in_order")
        db.execute("CREATE INDEX ready ON tasks (priority DESC, seq) WHERE state = 0")
    async with connect(sqlite_address) as broker:
        assert (await broker.counts()).ready == 3
        for most, expected in ((3, {9: 1, 5: 2}), (2, None)):
            monkeypatch.setattr("warrener.brokers.sqlite.reading._MOST_COUNTED", most)
            assert await broker.ready_by_priority() == expected
    assert await drain(sqlite_address) is Exit.DRAINED
    assert {row["task_id"] for row in await results(sqlite_address)} == {"a", "b", "c"}

"""A file that an earlier version has made is used as any other."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import drain, failures, publish, results, task
from tests.conformance.broker.steps import fail
from warrener.brokers import Verdict, connect
from warrener.errors import BrokerError
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address


async def test_file_without_times_of_publishing_and_traces_is_completed(
    sqlite_address: Address, tmp_path: Path
) -> None:
    await publish(sqlite_address, [task("echo", "old")])
    _make_old(tmp_path / "queue.db")
    await publish(sqlite_address, [task("echo", "new")])

    assert await drain(sqlite_address) is Exit.DRAINED
    assert {row["task_id"] for row in await results(sqlite_address)} == {"old", "new"}
    assert await failures(sqlite_address) == {}


async def test_such_a_file_is_told_whole_to_whoever_may_only_read_it(
    sqlite_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(sqlite_address) as broker:
        await broker.declare([])
        await fail(broker, "bad")
    await publish(sqlite_address, [task("echo", "left")])
    _make_old(tmp_path / "queue.db")
    connect_to = sqlite3.connect

    def connect_to_read(path: Path, **options: Any) -> Any:
        return connect_to(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_to_read)

    assert [*await failures(sqlite_address)] == ["bad"]
    async with connect(sqlite_address) as broker:
        counts = await broker.counts()
        assert (counts.ready, counts.failed) == (1, 1)
        with pytest.raises(BrokerError, match="read-only for this user"):
            await broker.sweep(lambda _: Verdict.DISCARD)


def _make_old(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE tasks DROP COLUMN published")
        for table in ("tasks", "failures"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN trace")
    db.close()

"""A file that an earlier version has made is used as any other."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tests.batch import drain, failures, publish, results, task
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address


async def test_file_without_times_of_publishing_and_traces_is_completed(
    sqlite_address: Address, tmp_path: Path
) -> None:
    await publish(sqlite_address, [task("echo", "old")])
    with sqlite3.connect(tmp_path / "queue.db") as db:
        db.execute("ALTER TABLE tasks DROP COLUMN published")
        for table in ("tasks", "failures"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN trace")
    db.close()
    await publish(sqlite_address, [task("echo", "new")])

    assert await drain(sqlite_address) is Exit.DRAINED
    assert {row["task_id"] for row in await results(sqlite_address)} == {"old", "new"}
    assert await failures(sqlite_address) == {}

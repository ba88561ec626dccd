"""Two that take out failures at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.batch import drain, failures, publish, task
from warrener.brokers import Verdict, connect

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import FailedTask


async def test_what_fails_after_one_was_taken_out_is_not_taken_for_it(sqlite_address: Address) -> None:
    await publish(sqlite_address, [task("no such type", "older")])
    await drain(sqlite_address)

    def discard_late(_: FailedTask) -> Verdict:
        # What another process does meanwhile: it takes out the same failure, and a worker adds one.
        with closing(sqlite3.connect(sqlite_address.path)) as other, other:
            other.execute("DELETE FROM failures")
            other.execute("INSERT INTO failures (id, body, priority) VALUES ('newer', '{}', 5)")
        return Verdict.DISCARD

    async with connect(sqlite_address) as broker:
        assert await broker.sweep(discard_late) == 0

    assert set(await failures(sqlite_address)) == {"newer"}

"""What tasks print is kept at a cost that does not grow with how much there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.brokers import Log
from warrener.brokers.sqlite import SqliteBroker

if TYPE_CHECKING:
    from warrener.address import Address


async def test_all_output_is_weighed_now_and_then(sqlite_address: Address) -> None:
    async with SqliteBroker(sqlite_address) as broker:
        await broker.declare([])
        await broker.keep_output()
        statements: list[str] = []
        broker._file.db.set_trace_callback(statements.append)
        for _ in range(20):
            await broker.note(Log.OUTPUT, [b"a line"])

    assert len([statement for statement in statements if "sum(length(body))" in statement]) == 1

"""Rows of a batch, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import uuid

from tests.batch import PATIENCE
from warrener.address import Address
from warrener.batch_rows import BatchRows
from warrener.brokers import connect
from warrener.journal import Begun
from warrener.publication import Publication


async def test_what_is_not_there_is_not_waited_for_for_ever() -> None:
    rows = BatchRows(Publication(Begun("run", "here:/tasks.jsonl", 0.0)), None)
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        reading = asyncio.create_task(rows.read(broker))
        async with asyncio.timeout(PATIENCE):
            await rows.have(1)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    rows.close()
    assert rows.count == 0

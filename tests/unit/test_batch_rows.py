"""Rows of a batch, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.batch import PATIENCE
from tests.conformance.broker.steps import complete
from warrener.address import Address
from warrener.batch_rows import BatchRows
from warrener.brokers import connect
from warrener.errors import WarrenerError
from warrener.journal import Begun
from warrener.publication import Publication

if TYPE_CHECKING:
    from pathlib import Path


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


async def test_rows_that_cannot_be_set_aside_are_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("warrener.batch_rows._IN_MEMORY", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    rows = BatchRows(Publication(Begun("run", "here:/tasks.jsonl", 0.0)), None)
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await complete(broker, "t")
        with pytest.raises(WarrenerError, match=r"rows from before cannot be kept in .*nowhere: .*TMPDIR"):
            async with asyncio.timeout(PATIENCE):
                await rows.read(broker)
    rows.close()

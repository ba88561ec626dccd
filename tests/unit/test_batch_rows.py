"""Rows of a batch, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.batch import PATIENCE
from tests.conformance.broker.steps import complete, row
from warrener.address import Address
from warrener.batch_rows import BatchRows
from warrener.brokers import connect
from warrener.errors import WarrenerError
from warrener.journal import Begun
from warrener.publication import Publication
from warrener.published import OF_SOURCE, mark_of_task

if TYPE_CHECKING:
    from collections.abc import Sequence
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


async def test_others_have_their_turn_while_rows_from_before_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a hundred rows that were set aside, and a source that has all but one of them
    monkeypatch.setattr("warrener.batch_rows._AT_A_TIME", 1)
    names = [f"t{n}" for n in range(100)]
    publication, written, turns = Publication(Begun("run", "here:/tasks.jsonl", 0.0)), _Written(), 0
    rows = BatchRows(publication, written)
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await complete(broker, *names)
        reading = asyncio.create_task(rows.read(broker))
        async with asyncio.timeout(PATIENCE):
            await rows.have(len(names))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    for name in names[1:]:
        publication.marks.add(mark_of_task(name, ""), OF_SOURCE)
    publication.is_read = True

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    # When they are read again
    beside = asyncio.create_task(take_turns())
    others = await rows.end_source()
    own = await rows.own_among({names[0], names[1]})
    beside.cancel()
    rows.close()

    # Then they are told apart, and whoever else has something to do does it after each few
    assert (others, own) == ({names[0]}, [mark_of_task(names[1], "")])
    assert written.rows == [row(name) for name in names[1:]]
    assert turns >= 2 * len(names)


class _Written:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []

    def write(self, rows: Sequence[bytes]) -> None:
        self.rows += rows

    def flush(self) -> None:
        """Nothing is held back."""

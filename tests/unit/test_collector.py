"""Following results, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.batch import PATIENCE
from tests.conformance.broker.steps import publish, row, take
from warrener.address import Address
from warrener.brokers import Completed, connect
from warrener.collector import collect
from warrener.rows import QUIET
from warrener.writers import opened

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from warrener.brokers import Counts


async def test_who_follows_does_not_wait_for_a_row_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        counts = broker.counts

        async def one_more() -> Counts:
            return replace(await counts(), completed=1)

        monkeypatch.setattr(broker, "counts", one_more)
        async with asyncio.timeout(PATIENCE):
            with opened(str(tmp_path / "out.jsonl"), "jsonl") as writer:
                summary = await collect(broker, writer, follow=True)
    assert (summary.completed, summary.missing) == (0, 0)


async def test_who_has_followed_for_long_gets_the_row_that_comes_just_before_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publish(broker, "last")
        hands = await take(broker, 1)
        counts, looks = broker.counts, 0

        async def end_at_last() -> Counts:
            nonlocal looks
            looks += 1
            if looks == QUIET + 5:  # between a look for rows that has found none, and this one
                broker.settle(hands.held[0], Completed(row("last")))
                await broker.settled()
            return await counts()

        monkeypatch.setattr(broker, "counts", end_at_last)
        async with asyncio.timeout(PATIENCE):
            with opened(str(tmp_path / "out.jsonl"), "jsonl") as writer:
                summary = await collect(broker, writer, follow=True)
    assert summary.completed == 1

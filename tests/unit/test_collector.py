"""Following results, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.batch import PATIENCE
from warrener.address import Address
from warrener.brokers import connect
from warrener.collector import collect
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

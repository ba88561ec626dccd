"""The failures that all who look share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from tests.web.ended import FAILED, fill
from warrener.brokers import connect
from warrener.web.failures import Failures

if TYPE_CHECKING:
    import pytest

    from warrener.address import Address


async def test_two_may_wait_for_the_same_reading(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.web.failures._PATIENCE", PATIENCE)
    await fill(sqlite_address)
    failures = Failures()
    async with connect(sqlite_address) as broker:
        one, other = await asyncio.gather(
            failures.refresh(broker, len(FAILED)), failures.refresh(broker, len(FAILED))
        )

        assert one is other
        assert failures.is_complete
    await failures.close()

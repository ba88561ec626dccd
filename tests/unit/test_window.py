"""How many tasks may wait on a broker at a time."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from warrener import window as windows
from warrener.address import Address
from warrener.brokers import Message, connect
from warrener.window import Window

if TYPE_CHECKING:
    import pytest

CHUNK = 300


async def test_as_many_wait_as_may_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_LOOK_EVERY", 0.001)
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        window, session = Window(1000), broker.publish_session()
        looks = 0
        counts = broker.counts

        async def counted() -> object:
            nonlocal looks
            looks += 1
            return await counts()

        monkeypatch.setattr(broker, "counts", counted)

        async def publish() -> None:
            while True:
                fits = await window.let_in(broker, session, CHUNK)
                await session.publish([Message(b"{}", uuid.uuid4().hex, 5) for _ in range(fits)])

        publishing = asyncio.create_task(publish())
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                # It looks again and again, and publishes nothing
                before = looks
                while looks < before + 20 or not window.is_full:
                    await asyncio.sleep(0.001)
                assert (await counts()).ready == 1000
                # Until what waited is gone
                await broker.purge()
                while window.is_full:
                    await asyncio.sleep(0.001)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_room_that_is_known_is_not_looked_for() -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        window = Window(10 * CHUNK)
        window.begin(CHUNK)
        # Without a queue a look would raise
        assert await window.let_in(broker, broker.publish_session(), CHUNK) == CHUNK

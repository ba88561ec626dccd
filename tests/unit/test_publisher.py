from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from warrener import Publisher, publisher
from warrener.errors import QueueMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.address import Address
    from warrener.brokers import Broker


def is_open(path: Path) -> bool:
    descriptors = Path("/proc/self/fd").iterdir()
    return str(path) in {str(descriptor.readlink()) for descriptor in descriptors if descriptor.is_symlink()}


async def test_publisher_that_finds_the_queue_wrong_leaves_nothing_open(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ensure(broker: Broker, delays: Sequence[int]) -> None:
        await broker.declare(delays)
        assert is_open(sqlite_address.path)
        raise QueueMismatch("other arguments")

    monkeypatch.setattr(publisher, "ensure", ensure)
    with pytest.raises(QueueMismatch):
        async with Publisher(sqlite_address.broker, sqlite_address.queue):
            pass

    assert not is_open(sqlite_address.path)


async def test_publisher_that_is_cancelled_while_it_opens_leaves_nothing_open(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ensure(broker: Broker, delays: Sequence[int]) -> None:
        await broker.declare(delays)
        await asyncio.Event().wait()

    async def has_opened() -> bool:
        return is_open(sqlite_address.path)

    monkeypatch.setattr(publisher, "ensure", ensure)
    opening = asyncio.create_task(Publisher(sqlite_address.broker, sqlite_address.queue).__aenter__())
    await eventually(has_opened)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    assert not is_open(sqlite_address.path)

"""A broker that is away for longer than anybody waits for an answer, and for less than a worker waits: a batch goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from tests.batch import eventually
from tests.conformance.batch.desk import Desk, double, slow
from warrener.brokers.rabbitmq import reconnect
from warrener.brokers.rabbitmq.amqp.connection import Connection
from warrener.errors import BrokerUnreachable
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.proxy import Proxy
    from warrener.address import Address

_OFTEN: Final = 20  # by whoever has something to do there


@pytest.fixture
def desk(tmp_path: Path, far: Address, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Its broker is far away, and nobody waits for an answer."""
    monkeypatch.setenv("PLACE", str(tmp_path))
    monkeypatch.setattr(reconnect, "AGAIN_FOR", 0.0)
    monkeypatch.setattr("warrener.brokers.rabbitmq.stream.AGAIN_FOR", 0.0)
    monkeypatch.setattr("warrener.brokers.rabbitmq.stream.AGAIN_AFTER", 0.05)
    monkeypatch.setattr(reconnect, "_LONGEST_PAUSE", 0.2)
    return Desk(tmp_path, far)


@pytest.fixture
def in_vain(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Why connections could not be opened, each time."""
    found: list[BaseException] = []
    opened = Connection.open

    async def watched(self: Connection) -> Connection:
        try:
            return await opened(self)
        except BrokerUnreachable as error:
            found.append(error)
            raise

    monkeypatch.setattr(Connection, "open", watched)
    return found


async def test_batch_is_read_and_published_to_its_end(
    desk: Desk, proxy: Proxy, rabbit_address: Address, in_vain: list[BaseException]
) -> None:
    # Given a batch of which one task runs, with no room for the next one to be published
    desk.write(double(1), slow(2), double(3), double(4))
    running = asyncio.create_task(desk.run(window=1))
    await _has_begun(desk)

    # When the broker is away for a while
    proxy.lead_to([])
    proxy.cut_all()
    await _is_away(in_vain)
    url = urlsplit(rabbit_address.broker)
    proxy.lead_to([(url.hostname or "", url.port or 5672)])
    (desk.path / "go").touch()

    # Then all rows are there
    ended = await running
    assert ended.exit is Exit.DRAINED
    assert desk.values == [2, 4, 6, 8]


async def _has_begun(desk: Desk) -> None:
    async def has_begun() -> bool:
        return desk.ran[2] > 0

    await eventually(has_begun)


async def _is_away(in_vain: list[BaseException]) -> None:
    """Wait until whoever goes on has tried it several times."""

    async def has_tried() -> bool:
        return len(in_vain) >= _OFTEN

    await eventually(has_tried)

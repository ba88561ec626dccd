"""Open brokers, and what each kind of them can do."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.conformance.broker.steps import DELAYS, Open
from warrener.brokers import Broker, connect
from warrener.brokers.rabbitmq import RabbitBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what the product rests."""
    monkeypatch.setattr("warrener.brokers.rabbitmq.topology.CRASH_DELAY", (1, 10))
    monkeypatch.setattr(RabbitBroker, "settling", 0)


@pytest.fixture
async def connections() -> AsyncIterator[AsyncExitStack]:
    """What is closed when the test ends."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def open_broker(address: Address, connections: AsyncExitStack) -> Open:
    """Opens one more connection to the test's queue."""

    async def opening(*, is_managed: bool = False) -> Broker:
        if not is_managed and address.management:
            where = msgspec.structs.replace(address, management="http://127.0.0.1:1")
        else:
            where = address
        return await connections.enter_async_context(connect(where))

    return opening


@pytest.fixture
async def broker(open_broker: Open) -> Broker:
    """An open broker with a queue."""
    opened = await open_broker()
    await opened.declare(DELAYS)
    return opened

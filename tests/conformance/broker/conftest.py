"""Open brokers, and what each kind of them can do."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from tests.conformance.broker.steps import DELAYS, Kind, Open
from warrener.brokers import Broker, connect
from warrener.brokers.rabbitmq import RabbitBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address

KNOWN_FAULTS: Final = {
    "rabbitmq": {
        "test_asking_for_delays_changes_nothing": "whoever asks for delays makes it forget the others",
        "test_closing_ends_whatever_is_under_way": "who still follows results connects again",
        "test_first_word_counts": "a second outcome is published, too",
        "test_follower_begins_anew_after_a_purge": "what came before it looks again is passed over",
        "test_what_was_decided_before_an_error_stays_done": "it does not wait for what is published already",
    },
}
HANGS: Final = {"test_first_word_counts"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what the product rests."""
    monkeypatch.setattr("warrener.brokers.rabbitmq.topology.CRASH_DELAY", (1, 10))
    monkeypatch.setattr(RabbitBroker, "settling", 0)


@pytest.fixture
def kind(address: Address) -> Kind:
    """What this broker can do."""
    return Kind(tells_waiting_ids=address.is_embedded or address.is_in_memory)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a broker is known to do wrong; whoever mends it takes it out below."""
    for item in items:
        name = getattr(item, "originalname", "")
        for broker, faults in KNOWN_FAULTS.items():
            if item.get_closest_marker(broker) and name in faults:
                hangs = name in HANGS
                item.add_marker(pytest.mark.xfail(reason=faults[name], strict=True, run=not hangs))

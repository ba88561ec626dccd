"""Steps that tests of brokers have in common."""

from __future__ import annotations

import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

from tests.batch import Hands, eventually
from warrener.brokers import Completed, Failed, Message
from warrener.models import Attempt, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers import Broker, Delivery
    from warrener.brokers.protocol import Lost

SHORT: Final = 20
LONG: Final = 3_600_000
DELAYS: Final = [SHORT, LONG]
"""Retry delays in milliseconds: one that is over at once, and one whose end no test sees."""
RECORD: Final = Record(1, 0, (Attempt(1, "ValueError", "no luck"),))
"""Of a task that was tried once."""


class Open(Protocol):
    """Opens one more connection to the test's queue, which need not be there yet.

    Args:
        is_managed: Ask the broker's management, too, whose counts come late.
    """

    async def __call__(self, *, is_managed: bool = False) -> Broker: ...


class _Relay:
    """The one listener of a broker: it passes on what comes to the hands of the moment."""

    hands: Hands

    def on_delivery(self, delivery: Delivery) -> None:
        self.hands.on_delivery(delivery)

    def on_lost(self, settled: Sequence[Lost]) -> None:
        self.hands.on_lost(settled)


_relays: WeakKeyDictionary[Broker, _Relay] = WeakKeyDictionary()


def messages(*names: str, priority: int = 5) -> list[Message]:
    """Tasks of these names."""
    return [Message(f'{{"id":"{name}","type":"echo"}}'.encode(), name, priority) for name in names]


async def publish(broker: Broker, *names: str, priority: int = 5) -> None:
    """Publish tasks, and wait until they are there."""
    session = broker.publish_session()
    await session.publish(messages(*names, priority=priority))
    await session.flush()


async def consume(broker: Broker, hands: Hands, prefetch: int) -> None:
    """Have tasks come into these hands from now on."""
    relay = _relays.setdefault(broker, _Relay())
    relay.hands = hands
    await broker.consume(relay, prefetch)


async def take(broker: Broker, count: int) -> Hands:
    """Consume until so many tasks are held, and no more than these."""
    hands = Hands()
    await consume(broker, hands, count)
    await hands.have(count)
    return hands


def row(name: str) -> bytes:
    """A result of the task of this name."""
    return f'{{"task_id":"{name}"}}'.encode()


async def complete(broker: Broker, *names: str, row: Callable[[str], bytes] = row) -> None:
    """Publish tasks and have each end with a row of its name."""
    await publish(broker, *names)
    hands = await take(broker, len(names))
    await broker.pause()
    for delivery in hands.held:
        broker.settle(delivery, Completed(row(delivery.id)))
    await broker.settled()


async def fail(broker: Broker, *names: str) -> None:
    """Publish tasks and have each fail for good."""
    await publish(broker, *names)
    hands = await take(broker, len(names))
    await broker.pause()
    for delivery in hands.held:
        broker.settle(delivery, Failed(RECORD.fail("exhausted")))
    await broker.settled()


def ids(hands: Hands) -> list[str]:
    """What is held, in the order it came."""
    return [delivery.id for delivery in hands.held]


async def rows(broker: Broker) -> list[bytes]:
    """All results."""
    return [found async for batch in broker.results() for found in batch]


async def failed(broker: Broker, most: int | None = None) -> Sequence[str]:
    """The ids of all failures, or of the first ones."""
    found: list[str] = []
    async with aclosing(broker.failures()) as failures:  # type: ignore[type-var]
        async for task in failures:
            found.append(task.id)
            if len(found) == most:
                break
    return found


async def pass_a_second() -> float:
    """A time, in whole seconds, that is after all that was, and has come."""
    after = math.floor(time.time()) + 1

    async def has_come() -> bool:
        return time.time() > after

    await eventually(has_come)
    return float(after)

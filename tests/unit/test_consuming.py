"""What a worker keeps of the deliveries over one channel, on a channel that only notes what it is told."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.batch import Hands
from warrener.brokers.confirm_times import ConfirmTimes
from warrener.brokers.names import Names
from warrener.brokers.protocol import Completed, Lost
from warrener.brokers.rabbitmq import packing, settling
from warrener.brokers.rabbitmq.amqp.properties import Properties, pack
from warrener.brokers.rabbitmq.consuming import Consuming
from warrener.brokers.rabbitmq.packing import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

MANY: Final = 20_000
_CONTAINERS: Final = (dict, list, set, tuple, deque)
ROW: Final = Completed(b"row")


class Channel:
    """Confirms when it is asked to."""

    is_open = True

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, bool]] = []
        self.published = 0
        self._confirm: Callable[[int, bool], None] = lambda *_: None
        self._refuse: Callable[[int, bool], None] = lambda *_: None

    async def call(self, *_: object, **__: object) -> None:
        """Answered at once."""

    async def confirm(
        self, on_ack: Callable[[int, bool], None], on_nack: Callable[[int, bool], None], *_: object
    ) -> None:
        """Tell confirms there."""
        self._confirm, self._refuse = on_ack, on_nack

    def confirm_all(self) -> None:
        """All that was published."""
        self._confirm(self.published, True)

    def refuse_all(self) -> None:
        """All that was published."""
        self._refuse(self.published, True)

    def publish(self, *_: object) -> None:
        """Without a confirm."""
        self.published += 1

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Note it."""
        self.acknowledged.append((tag, multiple))

    def cork(self, *, wanted: bool) -> None: ...


class Deliver:
    """One delivery's method."""

    redelivered = False

    def __init__(self, tag: int) -> None:
        self.delivery_tag = tag


async def test_task_that_runs_for_days_keeps_nothing_of_the_others() -> None:
    consuming, hands, channel = await a_consumer()
    deliver(consuming, 1)
    before = _size(consuming)

    for tag in range(2, MANY):
        deliver(consuming, tag)
        consuming.settle(hands.held.pop(), ROW)
        channel.confirm_all()
        consuming._send_acks()

    consuming._settling._packing.flush()
    channel.confirm_all()
    consuming._send_acks()
    assert _size(consuming) - before < 1_000_000
    assert channel.acknowledged == [(tag, False) for tag in range(2, MANY)]


async def test_what_was_acknowledged_of_late_is_small_however_large_its_records() -> None:
    consuming, hands, channel = await a_consumer()

    for tag in range(1, 5000):
        deliver(consuming, tag, record=b"%d" % tag + b"x" * 100_000)
        consuming.settle(hands.held.pop(), ROW)
        channel.confirm_all()

    assert _size(consuming) < 1_000_000


async def test_one_acknowledgement_is_for_all_before_the_oldest_that_is_held() -> None:
    consuming, hands, channel = await a_consumer()
    for tag in range(1, 7):
        deliver(consuming, tag)

    for tag in (1, 2, 3, 5, 6):
        consuming.settle(hands.held[tag - 1], ROW)
    channel.confirm_all()
    consuming._send_acks()
    consuming.settle(hands.held[3], ROW)
    channel.confirm_all()
    consuming._send_acks()

    assert channel.acknowledged == [(3, True), (5, False), (6, False), (4, True)]


async def test_what_had_been_settled_is_told_when_the_channel_is_gone() -> None:
    consuming, hands, channel = await a_consumer()
    for tag in range(1, 5):
        deliver(consuming, tag)
    consuming.settle(hands.held[0], ROW)
    channel.confirm_all()
    consuming.acknowledge(hands.held[1])
    consuming.settle(hands.held[2], ROW)

    consuming.detach()

    confirmed, acknowledged, settled, _ = (delivery.identity for delivery in hands.held)
    assert hands.settled == [Lost(confirmed, None), Lost(acknowledged, None), Lost(settled, ROW)]


async def test_confirms_that_never_came_are_forgotten_with_their_channel() -> None:
    told: list[float] = []
    times = ConfirmTimes()
    times.add(lambda *confirmed: told.append(confirmed[2]))
    consuming, hands, channel = await a_consumer(times)
    for tag in (1, 2):
        deliver(consuming, tag)
        consuming.settle(hands.held[-1], ROW)
        if tag == 1:
            channel.confirm_all()
    assert len(told) == 1

    consuming.detach()

    times.end([(hands.held[1], ROW)])  # whose tag the next channel has, too
    assert len(told) == 1


@pytest.mark.parametrize(("spoiling", "published"), [(b"row", 1), (b"r\now", ROWS), (b"r\row", ROWS)])
async def test_rows_that_make_no_pack_go_one_by_one(
    monkeypatch: pytest.MonkeyPatch, spoiling: bytes, published: int
) -> None:
    monkeypatch.setattr(packing, "WITHIN", 1e9)
    consuming, hands, channel = await a_consumer()
    for tag in range(1, 2 * ROWS + 2):
        deliver(consuming, tag)
    for delivery in hands.held[: ROWS - 1]:  # from which on rows are known to come quickly
        consuming.settle(delivery, ROW)
    before = channel.published

    for number, delivery in enumerate(hands.held[ROWS - 1 : 2 * ROWS - 1]):
        consuming.settle(delivery, Completed(spoiling) if number == 7 else ROW)

    assert channel.published - before == published
    channel.confirm_all()
    consuming._send_acks()
    assert channel.acknowledged == [(2 * ROWS - 1, True)]


async def test_pack_that_was_refused_is_published_again_unless_it_was_lost_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a pack that the broker refuses
    monkeypatch.setattr(packing, "WITHIN", 1e9)
    monkeypatch.setattr(settling, "_PAUSE", 0.0)
    consuming, hands, channel = await a_consumer()
    for tag in range(1, 2 * ROWS):
        deliver(consuming, tag)
    for delivery in hands.held:
        consuming.settle(delivery, ROW)
    before = channel.published
    channel.refuse_all()
    await turns()
    assert channel.published == before + ROWS  # a pack, and those from before it one by one
    # When it is refused once more, and its channel is gone before it is published again
    channel.refuse_all()
    consuming.detach()
    other = Channel()
    await consuming.attach(other)  # type: ignore[arg-type]
    await turns()
    # Then what may be somebody else's by now has no row of ours
    assert other.published == 0


async def turns() -> None:
    """Let the loop do what is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def a_consumer(times: ConfirmTimes | None = None) -> tuple[Consuming, Hands, Channel]:
    """One that has a channel."""
    hands, channel = Hands(), Channel()
    consuming = Consuming(
        Names("q"), hands, (4, 3), shortest=None, give_up=lambda _: None, confirm_times=times
    )
    await consuming.attach(channel)  # type: ignore[arg-type]
    return consuming, hands, channel


def deliver(consuming: Consuming, tag: int, record: bytes | None = None) -> None:
    """A task that no other is like."""
    properties = Properties(pack(f"t{tag}", 5, record))
    consuming._on_message(None, Deliver(tag), properties, b"{}")  # type: ignore[arg-type]


def _size(consuming: Consuming) -> int:
    """About how many bytes its own containers and what they hold have."""
    found: list[Any] = [value for value in vars(consuming).values() if isinstance(value, _CONTAINERS)]
    size = 0
    while found:
        value = found.pop()
        size += sys.getsizeof(value)
        if isinstance(value, _CONTAINERS):
            found += [*value, *value.values()] if isinstance(value, dict) else value
    return size

"""Of messages that lead nowhere none is taken for confirmed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers.rabbitmq.amqp.channel import Channel


class Bare:
    """A channel without a broker, which tells what a test has it tell."""

    is_open = True

    async def confirm(
        self,
        on_ack: Callable[[int, bool], None],
        on_nack: Callable[[int, bool], None],
        on_return: Callable[[Any, Any], None],
    ) -> None:
        self.ack, self.nack, self.on_return = on_ack, on_nack, on_return

    def publish(self, *_: object) -> None:
        """It goes nowhere."""

    def give_back(self, message_id: str, key: str = "work") -> None:
        self.on_return(SimpleNamespace(exchange="q", routing_key=key), SimpleNamespace(id=message_id))


class Tracked:
    """A tracker of messages with these ids, numbered from 1, and what was told of each."""

    def __init__(self) -> None:
        self.channel = Bare()
        self.told: dict[int, BrokerError | None] = {}

    async def publish(self, *ids: str) -> None:
        self._tracker = await ConfirmTracker(cast("Channel", self.channel)).open()
        for number, message_id in enumerate(ids, 1):
            self._tracker.publish(
                "q",
                "work",
                b"{}",
                message_id=message_id,
                priority=None,
                record=None,
                then=self.told.__setitem__,
                about=number,
            )

    @property
    def lost(self) -> list[int]:
        return [number for number, error in self.told.items() if isinstance(error, QueueMissing)]


async def test_two_of_one_id_are_both_returned_under_one_confirm() -> None:
    tracked = Tracked()
    await tracked.publish("a", "b", "a")
    tracked.channel.give_back("a")
    tracked.channel.give_back("a")
    tracked.channel.ack(3, True)
    assert tracked.lost == [1, 3]
    assert sorted(tracked.told) == [1, 2, 3]


async def test_two_of_one_id_are_both_returned_under_a_confirm_each() -> None:
    tracked = Tracked()
    await tracked.publish("a", "a")
    tracked.channel.give_back("a")
    tracked.channel.give_back("a")
    tracked.channel.ack(1, False)
    tracked.channel.ack(2, False)
    assert tracked.lost == [1, 2]


async def test_where_one_of_two_is_returned_none_is_taken_for_confirmed() -> None:
    tracked = Tracked()
    await tracked.publish("a", "a", "b")
    tracked.channel.give_back("a")
    tracked.channel.ack(3, True)
    assert tracked.lost == [1, 2]  # which of them it is nobody knows


async def test_what_is_published_after_a_return_is_not_meant() -> None:
    tracked = Tracked()
    await tracked.publish("a", "b")
    tracked.channel.give_back("a")
    tracked._tracker.publish(
        "q",
        "work",
        b"{}",
        message_id="a",
        priority=None,
        record=None,
        then=tracked.told.__setitem__,
        about=3,
    )
    tracked.channel.ack(3, True)
    assert tracked.lost == [1]


async def test_other_key_with_the_same_id_is_not_meant() -> None:
    tracked = Tracked()
    await tracked.publish("a")
    tracked.channel.give_back("a", key="results")
    tracked.channel.ack(1, False)
    assert tracked.told == {1: None}

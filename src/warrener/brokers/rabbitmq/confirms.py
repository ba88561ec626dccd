"""Publishing with confirms: every message is persistent and mandatory, and its end is told once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from warrener.brokers.rabbitmq.amqp import channel as channels
from warrener.brokers.rabbitmq.amqp.properties import pack
from warrener.codec import encode_record
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.amqp.movement import Movement
    from warrener.models import Record

T = TypeVar("T")

_LOOKS: Final = 4  # in the time that a confirm may take
_REFUSED: Final = "the broker refuses messages, as when a policy limits a queue's length"


class Refused(BrokerError):  # noqa: N818 - reads as what it is
    """The broker could not take a message just now."""


class ConfirmTracker:
    """The publishing side of one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        # The oldest that is on its way, what moves since, and how many looks have found that nothing does.
        self._oldest = self._quiet = 0
        self._movement: Movement | None = None
        # By number: key, message id, whom to tell, and what of. One object for each, or Python's search for garbage, which
        # looks at all that stays for long, takes a sixth of the time.
        self._pending: dict[int, tuple[str, str, Callable[[Any, BrokerError | None], None], Any]] = {}
        # By routing key and message id: up to which number such a message may be meant, and the error.
        self._returned: dict[tuple[str, str], tuple[int, BrokerError]] = {}

    async def open(self) -> ConfirmTracker:
        """Ask the broker for confirms."""
        await self._channel.confirm(self._on_ack, self._on_nack, self._on_return)
        return self

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        *,
        message_id: str,
        priority: int | None,
        record: Record | None,
        published_at: float | None = None,
        trace: str = "",
        is_packed: bool = False,
        then: Callable[[T, BrokerError | None], None],
        about: T,
    ) -> None:
        """Publish a message; `then` is told what it is about, and None when it is confirmed, or why it was not taken.

        It is told nothing when the connection is lost: nobody knows then.
        """
        self._number += 1
        self._pending[self._number] = key, message_id, then, about
        header = encode_record(record) if record else None
        properties = pack(message_id, priority, header, published_at, trace, is_packed=is_packed)
        self._channel.publish(exchange, key, properties, body)
        if self._timer is None:
            self._start_timer()

    def _start_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(channels.ANSWER_TIMEOUT / _LOOKS, self._on_timer)

    def _on_timer(self) -> None:
        """Let go of a connection over which the oldest confirm does not come, although nothing that is before it moves."""
        self._timer = None
        if not (self._pending and self._channel.is_open):
            return
        oldest = next(iter(self._pending))
        if self._movement is None or oldest != self._oldest:
            self._oldest, self._movement, self._quiet = oldest, self._channel.movement(), 0
        elif not self._movement.goes_on():
            self._quiet += 1
            if self._quiet >= _LOOKS:
                self._channel.drop()
        self._start_timer()

    def _on_ack(self, tag: int, is_multiple: bool) -> None:
        self._confirm(tag, None, is_multiple=is_multiple)

    def _on_nack(self, tag: int, is_multiple: bool) -> None:
        self._confirm(tag, Refused(_REFUSED), is_multiple=is_multiple)

    def _confirm(self, tag: int, error: BrokerError | None, *, is_multiple: bool) -> None:
        if not is_multiple:
            self._end(tag, error)
            return
        numbers = []
        for number in self._pending:  # in order
            if number > tag:
                break
            numbers.append(number)
        for number in numbers:
            self._end(number, error)

    def _end(self, number: int, error: BrokerError | None) -> None:
        key, message_id, then, about = self._pending.pop(number)
        if self._returned:
            error = self._look_up_return(number, (key, message_id)) or error
        then(about, error)

    def _look_up_return(self, number: int, name: tuple[str, str]) -> BrokerError | None:
        up_to, error = self._returned.get(name, (0, None))
        if not self._pending:
            self._returned.clear()
        return error if number <= up_to else None

    def _on_return(self, method: Any, properties: Any) -> None:
        # It comes before the message's own confirm, and does not say which one of several with the same id is meant. All
        # that are on their way are taken for it: one that is published twice does less harm than one that is lost.
        self._returned[method.routing_key, properties.id] = (
            self._number,
            QueueMissing(
                f"exchange {method.exchange!r} leads nowhere for key {method.routing_key!r}: the queue was deleted, or "
                "never wholly set up; create it with `warrener setup`"
            ),
        )

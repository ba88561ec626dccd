"""Publishing with confirms: every message is persistent and mandatory, and its end is told once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pika
from pika.spec import Basic

from warren.brokers.protocol import DELIVERY_LIMIT
from warren.brokers.rabbitmq import link
from warren.errors import BrokerError, QueueMissing
from warren.tasks import Record, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.brokers.rabbitmq.link import Lane

RECORD_HEADER: Final = "warren"
_PERSISTENT: Final = 2
_REFUSED: Final = "the broker refuses messages, as when a policy limits a queue's length"

Then = "Callable[[BrokerError | None], None]"


def travelled_record(headers: dict[str, Any]) -> bytes | str | None:
    """The record as it came with a message; None where somebody else uses this header."""
    record = headers.get(RECORD_HEADER)
    return record if isinstance(record, bytes | str) else None


def times_lost(headers: dict[str, Any]) -> int:
    """How often the broker had a message back, as it counts, which is never more than once beyond the limit."""
    count = headers.get("x-delivery-count")
    return min(max(count, 0), DELIVERY_LIMIT + 1) if isinstance(count, int) else 0


def travelled_id(properties: pika.BasicProperties) -> str:
    """A message's own id; empty where it has none, or one that is no text."""
    return properties.message_id if isinstance(properties.message_id, str) else ""


class Refused(BrokerError):  # noqa: N818 - reads as what it is
    """The broker could not take a message just now."""


class Outbox:
    """The publishing side of one channel."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pending: dict[int, tuple[str, Callable[[BrokerError | None], None]]] = {}
        self._returned: dict[str, BrokerError] = {}

    async def open(self) -> Outbox:
        """Ask the broker for confirms."""
        await self._lane.call("confirm_delivery", ack_nack_callback=self._on_confirm)
        self._lane.channel.add_on_return_callback(self._on_return)
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
        then: Callable[[BrokerError | None], None],
    ) -> None:
        """Publish a message; `then` is told None when it is confirmed, or why it was not taken.

        It is told nothing when the connection is lost: nobody knows then.
        """
        self._number += 1
        self._pending[self._number] = (message_id, then)
        self._lane.channel.basic_publish(
            exchange, key, body, _properties(message_id, priority, record), mandatory=True
        )
        if self._timer is None:
            self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            link.PATIENCE, self._look, next(iter(self._pending))
        )

    def _look(self, oldest: int) -> None:
        """Let go of a connection over which the oldest confirm does not come."""
        self._timer = None
        if self._pending and self._lane.is_open:
            if next(iter(self._pending)) == oldest:
                self._lane.drop()
            self._wait()

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        error = None if isinstance(method, Basic.Ack) else Refused(_REFUSED)
        if not method.multiple:
            self._end(method.delivery_tag, error)
            return
        numbers = []
        for number in self._pending:  # in order
            if number > method.delivery_tag:
                break
            numbers.append(number)
        for number in numbers:
            self._end(number, error)

    def _end(self, number: int, error: BrokerError | None) -> None:
        message_id, then = self._pending.pop(number)
        if self._returned:
            error = self._returned.pop(message_id, error)
        then(error)

    def _on_return(self, _: object, method: Any, properties: Any, __: bytes) -> None:
        # It comes before the message's own confirm.
        self._returned[properties.message_id] = QueueMissing(
            f"exchange {method.exchange!r} leads nowhere for key {method.routing_key!r}: the queue was deleted, or "
            "never wholly set up; create it with `warren setup`"
        )


def _properties(message_id: str, priority: int | None, record: Record | None) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/json",
        headers={RECORD_HEADER: encode_record(record).decode()} if record else None,
        delivery_mode=_PERSISTENT,
        priority=priority,
        message_id=message_id,
    )

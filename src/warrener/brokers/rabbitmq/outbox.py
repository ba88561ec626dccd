"""Publishing with confirms: every message is persistent and mandatory, and its end is told once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from warrener.brokers.rabbitmq import link
from warrener.brokers.rabbitmq.properties import pack
from warrener.codec import encode_record
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers.rabbitmq.link import Lane
    from warrener.models import Record

_REFUSED: Final = "the broker refuses messages, as when a policy limits a queue's length"


class Refused(BrokerError):  # noqa: N818 - reads as what it is
    """The broker could not take a message just now."""


class Outbox:
    """The publishing side of one channel."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pending: dict[int, tuple[tuple[str, str], Callable[[BrokerError | None], None]]] = {}
        self._returned: dict[tuple[str, str], BrokerError] = {}  # by routing key and message id

    async def open(self) -> Outbox:
        """Ask the broker for confirms."""
        self._lane.on_confirm(self._on_ack)
        await self._lane.call("confirm_delivery", ack_nack_callback=self._on_nack)
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
        self._pending[self._number] = ((key, message_id), then)
        header = encode_record(record) if record else None
        self._lane.publish(exchange, key, pack(message_id, priority, header), body)
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

    def _on_ack(self, tag: int, is_multiple: bool) -> None:
        self._confirm(tag, None, is_multiple=is_multiple)

    def _on_nack(self, frame: Any) -> None:
        self._confirm(frame.method.delivery_tag, Refused(_REFUSED), is_multiple=frame.method.multiple)

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
        name, then = self._pending.pop(number)
        if self._returned:
            error = self._returned.pop(name, error)
        then(error)

    def _on_return(self, _: object, method: Any, properties: Any, __: bytes) -> None:
        # It comes before the message's own confirm.
        self._returned[method.routing_key, properties.id] = QueueMissing(
            f"exchange {method.exchange!r} leads nowhere for key {method.routing_key!r}: the queue was deleted, or "
            "never wholly set up; create it with `warrener setup`"
        )

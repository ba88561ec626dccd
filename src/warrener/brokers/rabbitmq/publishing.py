"""The producer's side: a window of unconfirmed messages that survives lost connections."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq.bell import Bell
from warrener.brokers.rabbitmq.outbox import Outbox, Refused
from warrener.brokers.rabbitmq.topology import WORK_KEY
from warrener.errors import BrokerError, MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.protocol import Message
    from warrener.brokers.rabbitmq.link import Lane

WINDOW: Final = 4000
WINDOW_BYTES: Final = 32 * 1024 * 1024
_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0


class Publishing:
    """What is published and not yet confirmed.

    Args:
        names: Of the queue to publish to.
        give_up: Told of an error that no new connection mends.
    """

    def __init__(self, names: Names, give_up: Callable[[BrokerError], None]) -> None:
        self.error: BrokerError | None = None
        self._refused: MessageTooLarge | None = None
        self._names = names
        self._give_up = give_up
        self._outbox: Outbox | None = None
        self._count = 0
        self._unconfirmed: dict[int, Message] = {}
        self._bytes = 0
        self._nacked: list[int] = []
        self._pause = _PAUSE
        self._bell = Bell()

    async def attach(self, lane: Lane) -> None:
        """Go on over a new channel: everything unconfirmed is published again."""
        self._outbox = await Outbox(lane).open()
        self._nacked.clear()
        for number, message in self._unconfirmed.items():
            self._send(number, message)

    def detach(self) -> None:
        """The channel is gone."""
        self._outbox = None

    def limit(self, error: MessageTooLarge) -> None:
        """Drop the first message that is too large and all after it; those before it are published again."""
        numbers = list(self._unconfirmed)
        sizes = [len(message.body) for message in self._unconfirmed.values()]
        first = next((n for n, size in zip(numbers, sizes, strict=True) if size > error.limit), None)
        if first is None:
            return
        self._refused = MessageTooLarge(
            f"task {self._unconfirmed[first].id!r}: {error}; pass a reference to large data instead of the data",
            error.limit,
        )
        for number in range(first, self._count):
            if message := self._unconfirmed.pop(number, None):
                self._bytes -= len(message.body)
        self._count = first
        self._bell.ring()

    def fail(self, error: BrokerError) -> None:
        """No channel will come."""
        self.error = error
        self._bell.ring()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order; wait while the window is full."""
        for message in messages:
            if len(self._unconfirmed) >= WINDOW or self._bytes >= WINDOW_BYTES:
                await self._bell.wait_for(self._has_room)
            if error := self.error or self._refused:
                raise error
            self._unconfirmed[self._count] = message
            self._bytes += len(message.body)
            self._send(self._count, message)
            self._count += 1
        await asyncio.sleep(0)  # let what was written go out, and confirms come in

    async def flush(self) -> None:
        """Wait until nothing is unconfirmed."""
        await self._bell.wait_for(self._is_done)

    @property
    def confirmed(self) -> int:
        """How many, counted from the first without a gap."""
        return next(iter(self._unconfirmed), self._count)

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused messages, and has taken none since."""
        return self._pause > _PAUSE

    def _has_room(self) -> bool:
        if self.error:
            raise self.error
        return len(self._unconfirmed) < WINDOW // 2 and self._bytes < WINDOW_BYTES

    def _is_done(self) -> bool:
        if self.error:
            raise self.error
        if self._unconfirmed:
            return False
        if self._refused:
            refused, self._refused = self._refused, None
            raise refused
        return True

    def _send(self, number: int, message: Message) -> None:
        if self._outbox and number in self._unconfirmed:
            self._outbox.publish(
                self._names.queue,
                WORK_KEY,
                message.body,
                message_id=message.id,
                priority=message.priority,
                record=message.record,
                then=partial(self._confirm, number),
            )

    def _confirm(self, number: int, error: BrokerError | None) -> None:
        if isinstance(error, Refused):
            self._nacked.append(number)
            if len(self._nacked) == 1:
                asyncio.get_running_loop().call_later(self._pause, self._send_again)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            return
        if error:
            self._give_up(error)
            return
        message = self._unconfirmed.pop(number)
        self._bytes -= len(message.body)
        self._pause = _PAUSE
        self._bell.ring()

    def _send_again(self) -> None:
        nacked, self._nacked = self._nacked, []
        for number in nacked:
            self._send(number, self._unconfirmed[number])

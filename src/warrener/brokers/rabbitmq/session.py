"""What one caller has published and is not yet confirmed: a window of it, in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.confirms import Refused
from warrener.errors import BrokerError, MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warrener.brokers.protocol import Message
    from warrener.brokers.rabbitmq.publishing import Publishing

WINDOW: Final = 4000
WINDOW_BYTES: Final = 32 * 1024 * 1024
# Seconds until what was refused is published again.
_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0


class Session:
    """What one caller has published and is not yet confirmed. See `warrener.brokers.protocol.PublishSession`.

    Args:
        open_publishing: Gives the channel, and opens it where that has not been done.
        max_body: How many bytes the broker takes, as far as is known.
        shown: The broker, for an error's text.
    """

    def __init__(
        self, open_publishing: Callable[[], Awaitable[Publishing]], max_body: Callable[[], int], shown: str
    ) -> None:
        self.condition = Condition()
        self._open_publishing = open_publishing
        self._publishing: Publishing | None = None
        self._max_body = max_body
        self._shown = shown
        self._refused: MessageTooLarge | None = None
        self._count = 0
        self._unconfirmed: dict[int, Message] = {}
        self._bytes = 0
        self._nacked: list[int] = []
        self._pause = _PAUSE

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order; wait while the window is full."""
        publishing = self._publishing = await self._open_publishing()
        self._raise_errors()
        for message in messages:
            if len(self._unconfirmed) >= WINDOW or self._bytes >= WINDOW_BYTES:
                await self.condition.wait_for(self._has_room)
            if len(message.body) > self._max_body():
                raise MessageTooLarge(
                    f"task {message.id!r} has {len(message.body):,} bytes; {self._shown} takes "
                    f"{self._max_body():,}; pass a reference to large data instead of the data",
                    self._max_body(),
                )
            if not self._unconfirmed:
                publishing.keep(self, wanted=True)
            self._unconfirmed[self._count] = message
            self._bytes += len(message.body)
            publishing.send(self._count, message, self._confirm)
            self._count += 1
        await asyncio.sleep(0)  # let what was written go out, and confirms come in

    async def flush(self) -> None:
        """Wait until nothing is unconfirmed."""
        await self.condition.wait_for(self._is_done)

    @property
    def confirmed(self) -> int:
        """How many, counted from the first without a gap."""
        return next(iter(self._unconfirmed), self._count)

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused messages, and has taken none since."""
        return self._pause > _PAUSE

    def send_all(self) -> None:
        """Publish everything unconfirmed again."""
        self._nacked.clear()
        for number, message in self._unconfirmed.items():
            self._send(number, message)

    def limit(self, error: MessageTooLarge) -> None:
        """Drop the first message that is too large and all after it."""
        first = next((n for n, found in self._unconfirmed.items() if len(found.body) > error.limit), None)
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
        self._has_changed()

    def _has_changed(self) -> None:
        if self._publishing and not self._unconfirmed:
            self._publishing.keep(self, wanted=False)
        self.condition.notify()

    def _raise_errors(self) -> None:
        if self._publishing and self._publishing.error:
            raise self._publishing.error
        if self._refused:
            refused, self._refused = self._refused, None
            raise refused

    def _has_room(self) -> bool:
        self._raise_errors()
        return len(self._unconfirmed) < WINDOW // 2 and self._bytes < WINDOW_BYTES

    def _is_done(self) -> bool:
        if self._unconfirmed and not (self._publishing and self._publishing.error):
            return False
        self._raise_errors()
        return True

    def _send(self, number: int, message: Message) -> None:
        if self._publishing:
            self._publishing.send(number, message, self._confirm)

    def _confirm(self, number: int, error: BrokerError | None) -> None:
        message = self._unconfirmed.get(number)
        if message is None:
            return  # it was dropped meanwhile
        if isinstance(error, Refused):
            self._nacked.append(number)
            if len(self._nacked) == 1:
                asyncio.get_running_loop().call_later(self._pause, self._send_nacked)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        elif error:
            if self._publishing:
                self._publishing.give_up(error)
        else:
            del self._unconfirmed[number]
            self._bytes -= len(message.body)
            self._pause = _PAUSE
            self._has_changed()

    def _send_nacked(self) -> None:
        nacked, self._nacked = self._nacked, []
        for number in nacked:
            if message := self._unconfirmed.get(number):
                self._send(number, message)

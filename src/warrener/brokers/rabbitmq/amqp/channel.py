"""Channels whose calls can be awaited and whose errors are ours."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from pika import exceptions as pika_errors
from pika.spec import Basic

from warrener.brokers.rabbitmq.amqp.errors import translate
from warrener.brokers.rabbitmq.amqp.frames import forget_cancelled, resolve
from warrener.brokers.rabbitmq.amqp.movement import Movement
from warrener.errors import BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    import pika.channel

    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.amqp.frames import Frames

# How long an answer or a confirm may take, in seconds; twice as long until it is seen. Nodes that lose each other give up
# after 45 s at the earliest (net_ticktime). Once they meet again, a confirm that was due before may be false: the stream
# has dropped the message as a duplicate of a later one on the same channel (seen on RabbitMQ 4.3).
ANSWER_TIMEOUT = 20.0
_CORKED_FOR: Final = 0.005  # seconds; what is fetched ahead lasts ten times as long

_LOOK_FOR_ALARM: Final = 0.5  # seconds


class Channel:
    """One channel. One that the broker has closed raises the reason from every further call."""

    def __init__(
        self,
        raw: pika.channel.Channel,
        connection: Connection,
        on_close: Callable[[BrokerError], None] | None,
    ) -> None:
        self.error: BrokerError | None = None
        self._raw = raw
        self._connection = connection
        self._frames: Frames = raw.connection
        self._number = raw.channel_number
        self._waiting: set[asyncio.Future[Any]] = set()
        self._on_close = on_close
        raw.add_on_close_callback(self._closed)
        raw.add_on_cancel_callback(self._cancelled)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a channel method that has an answer, and return the answer's method frame."""
        if self.error:
            raise self.error
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return (await self._ask(answer, method, *args, **kwargs, callback=partial(resolve, answer))).method

    def begin(self, method: str, /, *args: Any, **kwargs: Any) -> None:
        """Call a channel method that has an answer, without waiting for that; the channel must be open."""
        self._frames.quietly(getattr(self._raw, method), *args, **kwargs, callback=lambda _: None)
        forget_cancelled(self._raw)

    def publish(self, exchange: str, key: str, properties: bytes, body: bytes) -> None:
        """Publish a message, unless the channel is closed; then nobody would know what became of it."""
        if self._raw.is_open:
            self._frames.publish(self._number, exchange, key, properties, body)

    def tell(self, exchange: str, body: bytes) -> None:
        """Publish to whoever is bound there just now, unless the channel is closed or the broker in alarm; nobody waits for it."""
        if self._raw.is_open and not self._connection.blocked:
            self._frames.quietly(self._raw.basic_publish, exchange, "", body)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, or all up to it, unless the channel is closed; then it comes back."""
        if self._raw.is_open:
            self._frames.ack(self._number, tag, multiple=multiple)

    def requeue(self, tag: int, *, multiple: bool = False) -> None:
        """Return a delivery, or all up to it (0: all there are), unless the channel is closed; then it comes back."""
        if self._raw.is_open:
            self._raw.basic_nack(tag, multiple=multiple, requeue=True)

    def cork(self, *, wanted: bool) -> None:
        """Whether what is published and acknowledged on this connection waits for company.

        A task of a few milliseconds that is a packet or two by itself costs broker and worker up to five times as much.
        """
        self._frames.corked_for = _CORKED_FOR if wanted else 0.0

    async def confirm(
        self,
        on_ack: Callable[[int, bool], None],
        on_nack: Callable[[int, bool], None],
        on_return: Callable[[Any, Any], None],
    ) -> None:
        """Have what is published here confirmed.

        Args:
            on_ack: Told a tag that the broker has, and whether all up to it are meant.
            on_nack: Told a tag that the broker does not take, in the same way.
            on_return: Told the method and the properties of a message that leads nowhere; its confirm comes later.
        """
        self._frames.on_confirm[self._number] = on_ack

        def nacked(frame: Any) -> None:
            on_nack(frame.method.delivery_tag, frame.method.multiple)

        await self.call("confirm_delivery", ack_nack_callback=nacked)
        self._raw.add_on_return_callback(lambda _, method, properties, __: on_return(method, properties))

    async def is_empty(self, queue: str) -> bool:
        """Whether a queue has nothing to give, as only its leader knows: without one, its count says 0 as well."""
        if self.error:
            raise self.error
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._raw.add_callback(lambda _: resolve(answer), [Basic.GetEmpty])
        method = await self._ask(
            answer, "basic_get", queue, lambda _, method, *__: self._on_got(answer, method)
        )
        return method is None

    def _on_got(self, answer: asyncio.Future[Any], method: Any) -> None:
        self.requeue(method.delivery_tag)  # here, since whoever asked may have been cancelled
        resolve(answer, method)

    async def opened(self, answer: asyncio.Future[Any]) -> None:
        """Wait until the channel can be used."""
        self._waiting.add(answer)
        try:
            await self._answered(answer)
        finally:
            self._waiting.discard(answer)

    def drop(self) -> None:
        """Let go of the connection, since an answer is overdue."""
        self._connection.drop(ANSWER_TIMEOUT)

    def movement(self) -> Movement:
        """What moves on the connection from now on."""
        return Movement(self._frames)

    def watch(self, on_close: Callable[[BrokerError], None]) -> None:
        """Tell `on_close` when the broker closes the channel, or the connection is lost; at once if it has been."""
        self._on_close = on_close
        if self.error:
            on_close(self.error)

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self.error is None and bool(self._raw.is_open)

    async def close(self) -> None:
        """Close the channel; harmless when it is closed. When it is cancelled, the broker is told all the same.

        A broker in alarm reads nothing of a connection that has published: it is not waited for.
        """
        self._on_close = None
        if self.is_open:
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._raw.add_on_close_callback(partial(resolve, done))
            self.begin_close()
            waited, movement = 0.0, self.movement()
            while not done.done() and not self._connection.blocked:
                await asyncio.wait([done], timeout=_LOOK_FOR_ALARM)
                waited = 0 if movement.goes_on() else waited + _LOOK_FOR_ALARM
                if not done.done() and waited >= ANSWER_TIMEOUT:
                    self.drop()

    def begin_close(self) -> None:
        """Close the channel, also one that is being opened, without waiting for it."""
        self._on_close = None
        if not (self._raw.is_closed or self._raw.is_closing):
            self._frames.quietly(self._raw.close)

    async def _ask(self, answer: asyncio.Future[Any], method: str, /, *args: Any, **kwargs: Any) -> Any:
        self._waiting.add(answer)
        try:
            self._frames.quietly(getattr(self._raw, method), *args, **kwargs)
            forget_cancelled(self._raw)
            return await self._answered(answer)
        except pika_errors.AMQPError as error:
            raise self.error or translate(error, self._connection.address) from error
        finally:
            self._waiting.discard(answer)

    async def _answered(self, answer: asyncio.Future[Any]) -> Any:
        """Wait for an answer of the broker, but not for ever."""
        movement = self.movement()
        while not answer.done():
            await asyncio.wait([answer], timeout=ANSWER_TIMEOUT)
            if not (answer.done() or movement.goes_on()):
                self.drop()
        return answer.result()

    def _cancelled(self, _: object) -> None:
        """The broker has ended our consumer: its queue is gone or moves, or a delivery was held for too long.

        Without the channel everything held goes back, which is what the broker waits for (seen on RabbitMQ 4.3).
        """
        if self.is_open:
            self._end(BrokerUnreachable(f"{self._connection.address.shown} cancelled our consumer"))
            self._frames.quietly(self._raw.close)

    def _closed(self, _: object, reason: BaseException) -> None:
        if self.error is None:
            self._end(translate(reason, self._connection.address))

    def _end(self, error: BrokerError) -> None:
        self.error = error
        for future in self._waiting:
            if not future.done():
                future.set_exception(self.error)
        if self._on_close:
            self._on_close(self.error)

"""What workers run, told by an exchange to which nothing is bound unless somebody listens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.reconnect import AGAIN_AFTER, AGAIN_FOR
from warrener.errors import BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.amqp.connection import Connection
    from warrener.brokers.rabbitmq.queue import Queue
    from warrener.brokers.rabbitmq.reconnect import Reconnecting

# Seconds: until it is tried again where the exchange is missing or the user may not, and between two signs of waiting.
_TRY_AGAIN_AFTER: Final = 60.0
_IDLE: Final = 0.5
_MOST: Final = 1000  # messages that a listener who is slow keeps the broker with


class Telling:
    """Publishes over a channel of its own, since the broker closes it where the exchange is missing or the user may not.

    Args:
        exchange: Where.
        connections: Whose connection, if there is one: it never makes one.
    """

    def __init__(self, exchange: str, connections: Reconnecting) -> None:
        self._exchange = exchange
        self._connections = connections
        self._channel: Channel | None = None
        self._opening: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def tell(self, body: bytes) -> None:
        """Publish, if that can be done at once."""
        connection = self._connections.current
        if self._channel:
            self._channel.tell(self._exchange, body)
        elif connection and not self._opening and asyncio.get_running_loop().time() >= self._not_before:
            self._opening = asyncio.create_task(self._open(connection, body))
            self._opening.add_done_callback(self._on_opened)

    def close(self) -> None:
        """Open no channel any more; the one that there is ends with its connection."""
        if self._opening:
            self._opening.cancel()

    async def _open(self, connection: Connection, body: bytes) -> None:
        try:
            channel = await connection.channel()
        except BrokerError:
            return
        self._channel = channel
        channel.watch(self._on_close)
        channel.tell(self._exchange, body)

    def _on_opened(self, _: object) -> None:
        self._opening = None

    def _on_close(self, error: BrokerError) -> None:
        self._channel = None
        if not isinstance(error, BrokerUnreachable):  # missing, or refused, which somebody may mend
            self._not_before = asyncio.get_running_loop().time() + _TRY_AGAIN_AFTER


async def listen(queue: Queue) -> AsyncIterator[Sequence[bytes]]:
    """What is told, in batches; a lost connection is followed by listening over the next one.

    Raises:
        QueueMissing: There is no such exchange.
        AccessRefused: This user may not.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + AGAIN_FOR
    while True:
        try:
            connection = await queue.connections.connection()
            async with aclosing(_over(connection, queue.names.beats)) as batches:
                async for bodies in batches:
                    yield bodies
                    give_up_at = loop.time() + AGAIN_FOR
        except BrokerUnreachable:
            if queue.connections.is_closing or loop.time() > give_up_at:
                raise
        await asyncio.sleep(AGAIN_AFTER)


async def _over(connection: Connection, exchange: str) -> AsyncGenerator[Sequence[bytes]]:
    condition = Condition()
    bodies: list[bytes] = []
    lost: list[BrokerError] = []

    def on_message(_: object, __: object, ___: object, body: bytes) -> None:
        bodies.append(body)
        condition.notify()

    def on_close(error: BrokerError) -> None:
        lost.append(error)
        condition.notify()

    own = f"{exchange}.{uuid4().hex}"
    async with await connection.channel(on_close) as channel:
        limits = {"x-max-length": _MOST, "x-overflow": "drop-head"}
        await channel.call("queue_declare", own, exclusive=True, auto_delete=True, arguments=limits)
        await channel.call("queue_bind", own, exchange)
        await channel.call("basic_consume", own, on_message, auto_ack=True)
        while not lost:
            batch = bodies.copy()
            bodies.clear()
            yield batch
            try:
                async with asyncio.timeout(_IDLE):
                    await condition.wait_for(lambda: bool(bodies or lost))
            except TimeoutError:
                continue
    raise lost[0]

"""One connection to RabbitMQ, whose errors are ours."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pika
from pika import exceptions as pika_errors

from warrener.brokers.rabbitmq.amqp import frames
from warrener.brokers.rabbitmq.amqp.channel import Channel
from warrener.brokers.rabbitmq.amqp.errors import translate
from warrener.brokers.rabbitmq.tls import tls_context
from warrener.errors import BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.address import Address

CONNECT_TIMEOUT = 10.0  # seconds
_CLOSE_TIMEOUT_BLOCKED: Final = 1.0  # seconds; in alarm the broker reads nothing, not even that we close
_PORT: Final = 5672
_TLS_PORT: Final = 5671


class Connection:
    """An open connection.

    Args:
        address: Where to.
        on_lost: Called once when the connection ends without `close`, with the reason.
        on_blocked: Called when `blocked` has changed.
    """

    def __init__(
        self, address: Address, on_lost: Callable[[BrokerError], None], on_blocked: Callable[[], None]
    ) -> None:
        self.address = address
        self._on_lost = on_lost
        self._on_blocked_changed = on_blocked
        self._frames: frames.Frames | None = None
        self._is_closing = False
        self._closed: asyncio.Future[None] | None = None
        self.blocked: str | None = None
        self.version: tuple[int, ...] = ()
        self.version_text = ""

    async def open(self) -> Connection:
        """Connect. When it raises or is cancelled, nothing is left open.

        Raises:
            BrokerUnreachable: Nobody answers.
            AccessRefused: The credentials or the virtual host are refused.
        """
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_open(_: object) -> None:
            if not opened.done():
                opened.set_result(None)

        def on_open_error(_: object, error: BaseException | str) -> None:
            if not opened.done():
                opened.set_exception(translate(error, self.address))

        found = frames.connect(self._parameters(), on_open, on_open_error, self._on_close)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT * 1.5):
                await opened
        except TimeoutError:
            found.abandon()
            raise BrokerUnreachable(f"{self.address.shown} does not answer") from None
        except BaseException:
            found.abandon()
            raise
        self._frames = found
        properties = found.server_properties or {}
        self.version_text = str(properties.get("version", "0"))
        self.version = tuple(int(part) for part in re.findall(r"\d+", self.version_text)[:3])
        found.add_on_connection_blocked_callback(self._on_blocked)
        found.add_on_connection_unblocked_callback(self._on_unblocked)
        return self

    async def channel(self, on_close: Callable[[BrokerError], None] | None = None) -> Channel:
        """A new channel, best used with `async with`.

        Args:
            on_close: Called when the broker closes the channel, or the connection is lost.
        """
        if self._frames is None or not self.is_open:
            raise BrokerUnreachable(f"the connection to {self.address.shown} is closed")
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            raw = self._frames.quietly(self._frames.channel, on_open_callback=partial(frames.resolve, opened))
        except pika_errors.AMQPError as error:
            raise translate(error, self.address) from error
        channel = Channel(raw, self, on_close)
        try:
            await channel.opened(opened)
        except BaseException:
            channel.begin_close()
            raise
        return channel

    def drop(self, silent_for: float) -> None:
        """Let go of a connection whose other end does not answer, and say so to `on_lost`.

        A node that is cut off from its cluster keeps its connections and has no answers; and what it should have confirmed
        it may have forgotten when it is back (seen on RabbitMQ 4.3). Only in alarm it is right for a broker to be silent.
        """
        if self._frames and self.is_open and not self.blocked:
            self._frames.abort(TimeoutError(f"no answer for {silent_for:.0f} s"))

    @property
    def is_open(self) -> bool:
        """Whether the connection is there."""
        return self._frames is not None and bool(self._frames.is_open)

    @property
    def is_arriving(self) -> bool:
        """Whether a message has come in part, whomever it is for."""
        return self._frames is not None and self._frames.is_arriving

    async def close(self) -> None:
        """Disconnect; harmless when that has happened already. When it is cancelled, the broker is told all the same."""
        self._is_closing = True
        if self._frames and self._frames.is_open:
            self._closed = asyncio.get_running_loop().create_future()
            self._frames.quietly(self._frames.close)
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_BLOCKED if self.blocked else CONNECT_TIMEOUT):
                    await self._closed

    def _on_close(self, _: object, error: BaseException) -> None:
        if self._is_closing:
            if self._closed:
                frames.resolve(self._closed)
        else:
            self._on_lost(translate(error, self.address))

    def _on_blocked(self, _: object, frame: Any) -> None:
        self.blocked = frame.method.reason or "the broker is in alarm"
        self._on_blocked_changed()

    def _on_unblocked(self, *_: object) -> None:
        self.blocked = None
        self._on_blocked_changed()

    def _parameters(self) -> pika.ConnectionParameters:
        # Not pika's own reading of URLs, which has options that switch verification off.
        address, url = self.address, urlsplit(self.address.broker)
        host, is_secure = url.hostname, url.scheme == "amqps"
        return pika.ConnectionParameters(
            host=host,
            port=url.port or (_TLS_PORT if is_secure else _PORT),
            virtual_host=address.vhost,
            credentials=pika.PlainCredentials(*address.credentials, erase_on_connect=False),
            heartbeat=address.heartbeat,
            socket_timeout=CONNECT_TIMEOUT,
            stack_timeout=CONNECT_TIMEOUT,
            connection_attempts=1,
            client_properties={"product": "warrener", "connection_name": f"warrener {address.queue}"},
            ssl_options=pika.SSLOptions(tls_context(address), host) if is_secure else None,
        )

"""One connection to RabbitMQ, with channels whose calls can be awaited and whose errors are ours."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pika
from pika import exceptions as pika_errors
from pika.adapters.asyncio_connection import _AsyncioIOServicesAdapter
from pika.spec import Basic

from warrener.brokers.rabbitmq.wire import Wire
from warrener.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnreachable,
    MessageTooLarge,
    QueueMismatch,
    QueueMissing,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pika.channel import Channel

    from warrener.address import Address

# What pika logs, we raise.
logging.getLogger("pika").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT = 10.0
# How long an answer or a confirm may take, in seconds; twice as long until it is seen. Nodes that lose each other give up
# after 45 s at the earliest (net_ticktime). Once they meet again, a confirm that was due before may be false: the stream
# has dropped the message as a duplicate of a later one on the same channel (seen on RabbitMQ 4.3).
PATIENCE = 20.0
_LINGER = 0.005  # seconds; what is fetched ahead lasts ten times as long
_PORT, _TLS_PORT = 5672, 5671
_FAREWELL = 1.0

_LOST = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # a connection, not trust
_PROBABLE = (pika_errors.ProbableAuthenticationError, pika_errors.ProbableAccessDeniedError)
# What RabbitMQ says itself; anything else is a connection that was lost.
_WAS_REFUSED = re.compile(r"ConnectionClosedByBroker: \((403|530)\)")
# A limit on connections or channels, as an operator sets it: there is room again when others have left.
_LIMIT = re.compile(r"(user )?connection limit \(\d+\) is reached|maximum allowed (user )?limit of \(\d+\)")


class _Services(_AsyncioIOServicesAdapter):
    """What pika does its input and output with."""

    def create_streaming_connection(
        self, protocol_factory: Any, sock: Any, on_done: Callable[[Any], None], **more: Any
    ) -> Any:
        """As pika has it, but that a connection that was accepted and reset at once is an error like others."""
        try:
            return super().create_streaming_connection(protocol_factory, sock, on_done, **more)
        except ValueError as error:  # raised in a callback, it would go to the log, and nobody would go on
            return self._loop.call_soon(on_done, ConnectionResetError(str(error)))


class QueueAway(BrokerUnreachable):
    """The broker knows the queue and does not reach it, as while it starts, or while another client makes the queue."""


class Link:
    """An open connection.

    Args:
        address: Where to.
        on_lost: Called once when the connection ends without `close`, with the reason.
        on_blocked: Called when `blocked` has changed.
    """

    def __init__(
        self, address: Address, on_lost: Callable[[BrokerError], None], on_blocked: Callable[[], None]
    ) -> None:
        self._address = address
        self._on_lost = on_lost
        self._has_changed = on_blocked
        self._connection: Wire | None = None
        self._is_closing = False
        self._closed: asyncio.Future[None] | None = None
        self.blocked: str | None = None
        self.version: tuple[int, ...] = ()
        self.version_text = ""

    async def open(self) -> Link:
        """Connect.

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
                opened.set_exception(self._translate(error))

        connection = Wire(
            self._parameters(),
            on_open,
            on_open_error,
            self._on_close,
            custom_ioloop=_Services(asyncio.get_running_loop()),
            internal_connection_workflow=True,
        )
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT * 1.5):
                await opened
        except TimeoutError:
            raise BrokerUnreachable(f"{self._address.shown} does not answer") from None
        self._connection = connection
        properties = connection.server_properties or {}
        self.version_text = str(properties.get("version", "0"))
        self.version = tuple(int(part) for part in re.findall(r"\d+", self.version_text)[:3])
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        return self

    async def lane(self, on_close: Callable[[BrokerError], None] | None = None) -> Lane:
        """A new channel.

        Args:
            on_close: Called when the broker closes the channel, or the connection is lost.
        """
        if self._connection is None or not self.is_open:
            raise BrokerUnreachable(f"the connection to {self._address.shown} is closed")
        opened: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        try:
            channel = self._connection.channel(on_open_callback=partial(_resolve, opened))
        except pika_errors.AMQPError as error:
            raise self._translate(error) from error
        lane = Lane(channel, self._address, self.drop, on_close)
        lane.waiting.add(opened)
        await lane.answered(opened)
        lane.waiting.discard(opened)
        return lane

    def drop(self) -> None:
        """Let go of a connection whose other end does not answer, and say so to `on_lost`.

        A node that is cut off from its cluster keeps its connections and has no answers; and what it should have confirmed
        it may have forgotten when it is back (seen on RabbitMQ 4.3). Only in alarm it is right for a broker to be silent.
        """
        if self._connection and self.is_open and not self.blocked:
            silence = TimeoutError(f"no answer for {PATIENCE:.0f} s")
            self._connection._terminate_stream(silence)  # noqa: SLF001 - the public way asks the other end

    @property
    def is_open(self) -> bool:
        """Whether the connection is there."""
        return self._connection is not None and bool(self._connection.is_open)

    async def close(self) -> None:
        """Disconnect; harmless when that has happened already."""
        self._is_closing = True
        if self._connection and self._connection.is_open:
            self._closed = asyncio.get_running_loop().create_future()
            self._connection.close()
            with suppress(TimeoutError):
                # In alarm the broker reads nothing, not even a farewell.
                async with asyncio.timeout(_FAREWELL if self.blocked else CONNECT_TIMEOUT):
                    await self._closed

    def _on_close(self, _: object, error: BaseException) -> None:
        if self._is_closing:
            if self._closed:
                _resolve(self._closed)
        else:
            self._on_lost(self._translate(error))

    def _on_blocked(self, _: object, frame: Any) -> None:
        self.blocked = frame.method.reason or "the broker is in alarm"
        self._has_changed()

    def _on_unblocked(self, *_: object) -> None:
        self.blocked = None
        self._has_changed()

    def _parameters(self) -> pika.ConnectionParameters:
        # Not pika's own reading of URLs, which has options that switch verification off.
        address, url = self._address, urlsplit(self._address.broker)
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

    def _translate(self, error: BaseException | str) -> BrokerError:
        return translate(error, self._address)


class Lane:
    """One channel. A lane that the broker has closed raises the reason from every further call."""

    def __init__(
        self,
        channel: Channel,
        address: Address,
        drop: Callable[[], None],
        on_close: Callable[[BrokerError], None] | None,
    ) -> None:
        self.channel = channel
        self._wire: Wire = channel.connection
        self._number = channel.channel_number
        self.drop = drop
        self.waiting: set[asyncio.Future[Any]] = set()
        self.error: BrokerError | None = None
        self._address = address
        self._on_close = on_close
        channel.add_on_close_callback(self._closed)
        channel.add_on_cancel_callback(self._cancelled)

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a channel method that has an answer, and return the answer's method frame."""
        if self.error:
            raise self.error
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.add(answer)
        try:
            getattr(self.channel, method)(*args, **kwargs, callback=partial(_resolve, answer))
            # pika rejects what still comes for a cancelled consumer, and on RabbitMQ 4.3 a reject counts as a failed
            # delivery. We take it as any other delivery instead, to be run or requeued.
            self.channel._cancelled.clear()  # noqa: SLF001 - there is no public way
            frame = await self.answered(answer)
        except pika_errors.AMQPError as error:
            raise self.error or translate(error, self._address) from error
        finally:
            self.waiting.discard(answer)
        return frame.method

    def publish(self, exchange: str, key: str, properties: bytes, body: bytes) -> None:
        """Publish a message, unless the channel is closed; then nobody would know what became of it."""
        if self.channel.is_open:
            self._wire.publish(self._number, exchange, key, properties, body)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, or all up to it, unless the channel is closed; then it comes back."""
        if self.channel.is_open:
            self._wire.ack(self._number, tag, multiple=multiple)

    def gather(self, *, wanted: bool) -> None:
        """Whether what is published and acknowledged on this connection waits for company.

        A task of a few milliseconds that is a packet or two by itself costs broker and worker up to five times as much.
        """
        self._wire.linger = _LINGER if wanted else 0.0

    def on_confirm(self, told: Callable[[int, bool], None]) -> None:
        """Have confirms told: a tag, and whether all up to it are meant."""
        self._wire.on_confirm[self._number] = told

    async def is_empty(self, queue: str) -> bool:
        """Whether a queue has nothing to give, as only its leader knows: without one, its count says 0 as well."""
        if self.error:
            raise self.error
        got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.add(got)
        try:
            self.channel.add_callback(lambda _: _resolve(got), [Basic.GetEmpty])
            self.channel.basic_get(queue, lambda _, method, *__: _resolve(got, method))
            method = await self.answered(got)
        except pika_errors.AMQPError as error:
            raise self.error or translate(error, self._address) from error
        finally:
            self.waiting.discard(got)
        if method:
            self.channel.basic_nack(method.delivery_tag, requeue=True)
        return method is None

    async def answered(self, answer: asyncio.Future[Any]) -> Any:
        """Wait for an answer of the broker, but not for ever."""
        while not answer.done():
            await asyncio.wait([answer], timeout=PATIENCE)
            if not answer.done():
                self.drop()
        return answer.result()

    def watch(self, on_close: Callable[[BrokerError], None]) -> None:
        """Tell `on_close` when the broker closes the channel, or the connection is lost; at once if it has been."""
        self._on_close = on_close
        if self.error:
            on_close(self.error)

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self.error is None and bool(self.channel.is_open)

    async def close(self) -> None:
        """Close the channel; harmless when it is closed."""
        self._on_close = None
        if self.is_open:
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self.channel.add_on_close_callback(partial(_resolve, done))
            self.channel.close()
            await self.answered(done)

    def _cancelled(self, _: object) -> None:
        """The broker has ended our consumer: its queue is gone or moves, or a delivery was held for too long.

        Without the channel everything held goes back, which is what the broker waits for (seen on RabbitMQ 4.3).
        """
        if self.is_open:
            self._end(BrokerUnreachable(f"{self._address.shown} cancelled our consumer"))
            self.channel.close()

    def _closed(self, _: object, reason: BaseException) -> None:
        if self.error is None:
            self._end(translate(reason, self._address))

    def _end(self, error: BrokerError) -> None:
        self.error = error
        for future in self.waiting:
            if not future.done():
                future.set_exception(self.error)
        if self._on_close:
            self._on_close(self.error)


def _resolve(future: asyncio.Future[Any], answer: Any = None, *_: object) -> None:
    if not future.done():
        future.set_result(answer)


def tls_context(address: Address) -> ssl.SSLContext:
    """Whom to trust at an address.

    Raises:
        UsageError: The file with the authority's certificates cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=address.authority)
    except OSError as error:  # ssl.SSLError is one, too
        raise UsageError(f"certificates cannot be read from {address.authority}: {error.strerror}") from error


def translate(error: BaseException | str, address: Address) -> BrokerError:
    """What pika raised, as one of our errors, in a sentence that holds no secret."""
    for cause in _causes(error):
        if isinstance(cause, _PROBABLE) and not _WAS_REFUSED.search(str(cause)):
            continue  # pika takes a connection that is lost while it is made for a refusal
        if isinstance(cause, pika_errors.ProbableAuthenticationError | pika_errors.AuthenticationError):
            return AccessRefused(
                f"{address.shown} refuses user {address.credentials[0]!r}: wrong name or password"
            )
        if isinstance(cause, pika_errors.ProbableAccessDeniedError):
            return _not_allowed(str(cause), address, f"virtual host {address.vhost!r}")
        if isinstance(cause, pika_errors.ConnectionClosed | pika_errors.ChannelClosed):
            return _by_code(cause.reply_code, cause.reply_text, address)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _LOST):
            why = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or cause
            return AccessRefused(f"no trust in {address.shown}: {why}")
        if isinstance(cause, OSError):
            return BrokerUnreachable(f"{address.shown} cannot be reached: {cause.strerror or cause}")
    return BrokerUnreachable(f"the connection to {address.shown} was lost ({type(error).__name__})")


def _causes(error: object) -> list[object]:
    """An error and those it wraps, the innermost first: pika nests what went wrong while connecting."""
    nested = list(getattr(error, "exceptions", ()) or ())
    nested += [argument for argument in getattr(error, "args", ()) if isinstance(argument, BaseException)]
    if isinstance(inner := getattr(error, "exception", None), BaseException):
        nested.append(inner)
    return [cause for inner in nested for cause in _causes(inner)] + [error]


def _by_code(code: int, text: str, address: Address) -> BrokerError:
    match code:
        case 403 | 530:
            return _not_allowed(text, address, "this", f": {_plain(text)}")
        case 404:
            return _not_found(text, address)
        case 406 if size := re.search(r"message size (\d+) is larger than configured max size (\d+)", text):
            return MessageTooLarge(
                f"a message has {int(size[1]):,} bytes; {address.shown} takes {int(size[2]):,}", int(size[2])
            )
        case 406 if "inequivalent arg" in text:
            return _mismatch(text, address)
        case 405 | 406 if "invalid arg" in text or "exclusive access" in text:
            return QueueMismatch(
                f"queue {address.queue!r} on {address.shown} is none that Warrener can use ({_plain(text)}): "
                "see `warrener doctor`, and take another queue name"
            )
    return BrokerUnreachable(f"{address.shown} closed the connection: {_plain(text)} (code {code})")


def _not_allowed(text: str, address: Address, what: str, why: str = "") -> BrokerError:
    if limit := _LIMIT.search(text):
        return BrokerUnreachable(f"{address.shown} lets nobody more in: {limit[0]}")
    return AccessRefused(f"{address.shown} refuses {what} to user {address.credentials[0]!r}{why}")


def _not_found(text: str, address: Address) -> BrokerError:
    if not text.startswith("NOT_FOUND - no "):
        return QueueAway(f"{address.shown}: {_plain(text)}")
    return QueueMissing(
        f"queue {address.queue!r} does not exist on {address.shown}, or lacks a part ({_plain(text)}); "
        "publish tasks, or create it with `warrener setup`"
    )


def _mismatch(text: str, address: Address) -> QueueMismatch:
    found = re.search(
        r"inequivalent arg '([^']+)' for (\w+) '([^']+)'.*received (.+) but current is (.+)", text
    )
    if not found:
        return QueueMismatch(_plain(text))
    argument, kind, name, wanted, current = found.groups()
    return QueueMismatch(
        f"{kind} {name!r} exists with {argument} = {_value(current)}, wanted is {_value(wanted)}: delete it with "
        f"`warrener delete --queue {address.queue}` (its tasks are lost), or take another queue name"
    )


def _value(text: str) -> str:
    quoted = re.search(r"'([^']*)'", text)
    return (quoted[1] if quoted else text.replace("the value ", "").strip()) or "nothing"


def _plain(text: str) -> str:
    """RabbitMQ's words without its error class in capitals."""
    return re.sub(r"^[A-Z_]+ - ", "", text)

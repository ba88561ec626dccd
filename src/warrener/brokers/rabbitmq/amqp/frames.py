"""The bytes on a connection: published messages, deliveries and confirms are ours, everything else is pika's.

These three are nearly all that a worker and a publisher send and get. pika makes half a dozen objects of each, which
is most of the time that a task costs.

Here is all use of pika's private parts. `PRIVATE_PARTS` names them, and a test says which one an update has taken away.
"""

from __future__ import annotations

import asyncio
import struct
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

import pika
from msgspec.structs import replace
from pika.adapters.asyncio_connection import AsyncioConnection, _AsyncioIOServicesAdapter
from pika.exceptions import InvalidFrameError
from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_MAX_SIZE, FRAME_METHOD, Basic

from warrener.brokers.rabbitmq.amqp.bulk import HEADER, Delivered, Run, StreamConsumer
from warrener.brokers.rabbitmq.amqp.movement import unsent
from warrener.brokers.rabbitmq.amqp.own_log import be_quiet, is_ours
from warrener.brokers.rabbitmq.amqp.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE_PARTS: Final = {
    "connection": (
        *("_adapter_emit_data", "_on_data_available", "_process_frame", "_proto_connection_made"),
        *("_terminate_stream", "_body_max_length", "_channels", "_frame_buffer", "_transport"),
    ),
    "channel": ("_cancelled", "_consumers"),
    "services": ("_loop", "create_streaming_connection"),
    "transport": ("_MAX_RECV_BYTES", "_sock"),
}
"""What of pika is used here although it is private, by whose it is."""

_READ: Final = 1 << 16  # bytes at a time, where pika reads 4 KiB
# Where so many frames came within so many seconds the next ones wait for company; with fewer a packet for each costs little.
_MANY: Final = 32
_MANY_WITHIN: Final = 0.01

_FRAME: Final = struct.Struct(">BHL")  # its type, channel and length; its content and one more byte follow
_AROUND: Final = _FRAME.size + 1
_CONTENT: Final = struct.Struct(">HHQ")  # class, weight and length of what follows; the properties follow
_METHOD: Final = struct.Struct(">L")
_TAG: Final = struct.Struct(">QB")  # and a bit
_DELIVER: Final = _METHOD.pack(Basic.Deliver.INDEX)
_ACK_FRAME: Final = struct.Struct(">BHLLQ?B")
_ACK_SIZE: Final = _ACK_FRAME.size - _AROUND
_ACK: Final = _METHOD.pack(Basic.Ack.INDEX)
_FRAME_END: Final = bytes([FRAME_END])
_GREETING: Final = b"AMQP"  # of a broker that wants another protocol: no frame
_GREETING_SIZE: Final = 8


def connect(
    parameters: pika.ConnectionParameters,
    on_open: Callable[[Any], None],
    on_open_error: Callable[[Any, BaseException | str], None],
    on_close: Callable[[Any, BaseException], None],
) -> Frames:
    """Begin to connect; one of the first two is called, and the third one when a connection that was open ends."""
    context = copy_context()
    context.run(is_ours.set, True)
    return context.run(
        Frames,
        parameters,
        on_open,
        on_open_error,
        on_close,
        custom_ioloop=_Services(asyncio.get_running_loop()),
        internal_connection_workflow=True,
    )


def forget_cancelled(channel: Any) -> None:
    """Have pika take what still comes for a consumer that is being ended for any other delivery.

    It would reject it, and on RabbitMQ 4.3 a reject counts as a failed delivery.
    """
    channel._cancelled.clear()


def resolve(future: asyncio.Future[Any], answer: Any = None, *_: object) -> None:
    """Give a future its result, unless it has one or is cancelled; fits what pika calls back."""
    if not future.done():
        future.set_result(answer)


class Frames(AsyncioConnection):
    """pika's connection, which writes once per turn of the loop and tells consumers `Properties` instead of pika's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # By channel: told a tag, and whether of all up to it.
        self.on_confirm: dict[int, Callable[[int, bool], None]] = {}
        # Seconds that published messages and acknowledgements wait for company, while many come.
        self.corked_for = 0.0
        self._own_loop = asyncio.get_running_loop()  # to ask for it costs a call of the system on Python 3.11
        self._corked: list[bytes | memoryview] = []
        self._uncorking: asyncio.Handle | None = None
        self._uncorked_at = 0.0
        self._handed_over = 0  # bytes, to be sent
        self._counted = 0  # frames since
        self._counted_from = 0.0
        self._are_many = False
        self._methods: dict[tuple[int, str, str], bytes] = {}
        self._to_come = 0  # bytes of the message that is arriving
        self._context = copy_context()
        super().__init__(*args, **kwargs)

    def quietly(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of pika's, with nothing of it in pika's log: what goes wrong is raised."""
        if is_ours.get():  # called back by pika
            return method(*args, **kwargs)
        return self._context.run(method, *args, **kwargs)

    def abort(self, error: Exception) -> None:
        """End the connection without asking the other end, for this reason."""
        self.quietly(self._terminate_stream, error)

    def abandon(self) -> None:
        """Close what may not be open yet, without waiting for it."""
        if not (self.is_closed or self.is_closing):
            self.quietly(self.close)

    # --- what goes out

    def publish(self, channel: int, exchange: str, key: str, properties: bytes, body: bytes) -> None:
        """Publish a message, mandatory, on a channel that is open."""
        where = (channel, exchange, key)
        method = self._methods.get(where)
        if method is None:
            publish = Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
            method = self._methods[where] = pika.frame.Method(channel, publish).marshal()
        size = _CONTENT.size + len(properties)
        parts = self._corked
        parts += (
            method,
            HEADER.pack(FRAME_HEADER, channel, size, Basic.INDEX, 0, len(body)),
            properties,
            _FRAME_END,
        )
        whole = memoryview(body) if len(body) > self._body_max_length else body
        for start in range(0, len(body), self._body_max_length):
            chunk = whole[start : start + self._body_max_length]
            parts += (_FRAME.pack(FRAME_BODY, channel, len(chunk)), chunk, _FRAME_END)
        self._uncork_later()

    def ack(self, channel: int, tag: int, *, multiple: bool) -> None:
        """Acknowledge a delivery, or all up to it, on a channel that is open."""
        self._corked.append(
            _ACK_FRAME.pack(FRAME_METHOD, channel, _ACK_SIZE, Basic.Ack.INDEX, tag, multiple, FRAME_END)
        )
        self._uncork_later()

    def _uncork_later(self) -> None:
        self._counted += 1
        if self._counted == _MANY:
            now = self._own_loop.time()
            self._are_many = now - self._counted_from < _MANY_WITHIN
            self._counted, self._counted_from = 0, now
        if self._uncorking is None:
            if self._are_many and self.corked_for:
                self._uncorking = self._own_loop.call_at(self._uncorked_at + self.corked_for, self._uncork)
            else:
                self._uncorking = self._own_loop.call_soon(self._uncork)

    def _adapter_emit_data(self, data: bytes) -> None:
        self._corked.append(data)
        if self._uncorking:  # which may be a while yet
            self._uncorking.cancel()
        self._uncorking = self._own_loop.call_soon(self._uncork)

    def _uncork(self) -> None:
        data = b"".join(self._corked)
        self._corked.clear()
        self._uncorking = None
        self._uncorked_at = self._own_loop.time()
        self._handed_over += len(data)
        if data and self._transport is not None:
            # Of what the socket does not take at once pika cuts off the rest: of bytes it would copy that, again and again.
            super()._adapter_emit_data(memoryview(data))

    @property
    def outgoing(self) -> tuple[int, int]:
        """How many bytes were sent so far, and how many will have been once all is that is to go out."""
        transport = self._transport
        waiting = transport.get_write_buffer_size() + unsent(transport._sock) if transport else 0
        return self._handed_over - waiting, self._handed_over + sum(map(len, self._corked))

    # --- what comes in

    @property
    def is_arriving(self) -> bool:
        """Whether a message has come in part: RabbitMQ sends the frames of each without others between them."""
        return self._to_come > 0 or len(self._frame_buffer) > 0

    def _proto_connection_made(self, transport: Any) -> None:
        transport._MAX_RECV_BYTES = _READ
        super()._proto_connection_made(transport)

    def _on_data_available(self, data_in: bytes) -> None:
        self._frame_buffer: bytes
        self.bytes_received += len(data_in)  # by which pika knows that the other side is alive
        buffer: bytes = self._frame_buffer + data_in
        at = 0
        while end := self._take(buffer, at):
            at = end
        self._frame_buffer = buffer[at:]

    def _take(self, buffer: bytes, at: int) -> int:
        """Take in the message or frame that begins here; where it ends, or 0 while it is not complete."""
        if len(buffer) - at < _AROUND:
            return 0
        kind, channel, size = _FRAME.unpack_from(buffer, at)
        end: int = at + _AROUND + size
        if end > len(buffer):
            if size <= FRAME_MAX_SIZE:
                return 0
            if not buffer.startswith(_GREETING, at):
                # Or it would be waited for until memory ends.
                raise InvalidFrameError(f"a frame of {size:,} bytes")
            end = at + _GREETING_SIZE
        method = buffer[at + _FRAME.size : at + _FRAME.size + _METHOD.size] if kind == FRAME_METHOD else b""
        if method == _DELIVER and (whole := self._deliver(buffer, at, end, channel)):
            return whole
        if method == _ACK and buffer[end - 1] == FRAME_END and (on_confirm := self.on_confirm.get(channel)):
            tag, is_multiple = _TAG.unpack_from(buffer, at + _FRAME.size + _METHOD.size)
            on_confirm(tag, bool(is_multiple))
        else:
            if kind == FRAME_HEADER:
                self._to_come = int.from_bytes(buffer[at + 11 : at + 19])  # as `_CONTENT` has it
            elif kind == FRAME_BODY:
                self._to_come -= size
            self._process_frame(_frame(buffer[at:end]))
        return end

    def _deliver(self, buffer: bytes, at: int, end: int, channel: int) -> int:
        """Take in a message that begins with this frame and lies here whole; where it ends, or 0 if it does not."""
        if len(buffer) < end + HEADER.size:
            return 0
        kind, _, size, _, _, length = HEADER.unpack_from(buffer, end)
        body: int = end + _AROUND + size
        whole: int = body + _AROUND + length
        if (
            whole > len(buffer)
            or kind != FRAME_HEADER
            or not buffer.startswith(_FRAME.pack(FRAME_BODY, channel, length), body)
            or not buffer[end - 1] == buffer[body - 1] == buffer[whole - 1] == FRAME_END
        ):
            return 0
        name = at + _FRAME.size + _METHOD.size + 1
        name_end = name + buffer[name - 1]
        owner = self._channels.get(channel)
        on_message = owner._consumers.get(buffer[name:name_end].decode()) if owner else None
        if not on_message:
            return 0
        tag, is_again = _TAG.unpack_from(buffer, name_end)
        properties = Properties(buffer[end + HEADER.size : body - 1])
        exchange = name_end + _TAG.size + 1
        exchange_name = buffer[exchange : exchange + buffer[exchange - 1]].decode()
        delivered = Delivered(tag, is_again & 1 == 1, exchange_name)
        on_message(owner, delivered, properties, buffer[body + _FRAME.size : whole - 1])
        if isinstance(on_message, StreamConsumer):
            run = Run(buffer, at, name_end, end)
            whole = run.take(whole)
            if run.bodies:
                last = replace(delivered, delivery_tag=run.tag)
                on_message.more(run.bodies, last, Properties(run.properties))
        return whole


def _frame(data: bytes) -> Any:
    """One frame as pika has it, but for the properties of messages."""
    kind, channel, _ = _FRAME.unpack_from(data)
    if kind != FRAME_HEADER or data[-1] != FRAME_END:
        return pika.frame.decode_frame(data)[1]
    _, _, length = _CONTENT.unpack_from(data, _FRAME.size)
    return pika.frame.Header(channel, length, Properties(data[_FRAME.size + _CONTENT.size : -1]))


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


be_quiet()

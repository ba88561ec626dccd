"""A message's properties as they travel: packed, and read only as far as somebody asks.

pika reads every header of every message, and gives up the connection over those it cannot read although RabbitMQ takes
them: a time beyond the calendar, a table nested a thousand deep. One such message in the queue of failures would keep
everybody from reading it.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pika.data import decode_value
from pika.exceptions import InvalidFieldTypeException
from pika.spec import BasicProperties as Flags

from warrener.brokers.protocol import DELIVERY_BACKSTOP
from warrener.trace_context import headers as trace_headers
from warrener.trace_context import packed

_FLAGS: Final = struct.Struct(">H")
_LENGTH: Final = struct.Struct(">I")
_TIMESTAMP: Final = struct.Struct(">Q")
_TIMES: Final = range(
    1_000_000_000, 10_000_000_000
)  # seconds since the epoch, from 2001 on; what is none is a producer's own
_JSON: Final = b"\x10application/json"
_PACKED: Final = b"\x04gzip"
_PERSISTENT: Final = b"\x02"
_RECORD: Final = "warrener"
_RECORD_FIELD: Final = b"\x08warrenerS"
_ALWAYS: Final = Flags.FLAG_CONTENT_TYPE | Flags.FLAG_DELIVERY_MODE | Flags.FLAG_MESSAGE_ID
_BEFORE_ID: Final = Flags.FLAG_CORRELATION_ID | Flags.FLAG_REPLY_TO | Flags.FLAG_EXPIRATION
# Of this module, since each message that comes asks for all of them.
_CONTENT_TYPE: Final = Flags.FLAG_CONTENT_TYPE
_CONTENT_ENCODING: Final = Flags.FLAG_CONTENT_ENCODING
_HEADERS: Final = Flags.FLAG_HEADERS
_DELIVERY_MODE: Final = Flags.FLAG_DELIVERY_MODE
_PRIORITY: Final = Flags.FLAG_PRIORITY
_MESSAGE_ID: Final = Flags.FLAG_MESSAGE_ID
_TIME: Final = Flags.FLAG_TIMESTAMP
# How long the values of a header are, by their kind; all others tell their length first.
_FIXED: Final = {
    **dict.fromkeys(b"V", 0),
    **dict.fromkeys(b"tbB", 1),
    **dict.fromkeys(b"sUu", 2),
    **dict.fromkeys(b"Iif", 4),
    **dict.fromkeys(b"D", 5),
    **dict.fromkeys(b"lLdT", 8),
}
# What reading a value may raise: an odd time, a deep table, a number that is none, an unknown kind, a table that ends early.
_UNREADABLE: Final = (
    *(ValueError, OverflowError, OSError, RecursionError),
    *(IndexError, struct.error, InvalidFieldTypeException),
)


def pack(
    message_id: str,
    priority: int | None,
    record: bytes | None,
    published_at: float | None = None,
    trace: str = "",
    *,
    is_packed: bool = False,
) -> bytes:
    """The properties of a message that we publish: persistent JSON.

    Args:
        message_id: At most 255 bytes.
        priority: 0 to 255, or none.
        record: What has happened to the task so far.
        published_at: When it was published first, in seconds since the epoch; it travels as AMQP's `timestamp`, without
            the fraction.
        trace: What `trace_context.packed` made of its trace's headers.
        is_packed: Whether its body is packed with gzip.
    """
    flags, encoding, headers, level, at = _ALWAYS, b"", b"", b"", b""
    if is_packed:
        flags |= _CONTENT_ENCODING
        encoding = _PACKED
    if published_at is not None:
        flags |= _TIME
        at = _TIMESTAMP.pack(int(published_at))
    if record is not None or trace:
        flags |= _HEADERS
        fields = b"" if record is None else _RECORD_FIELD + _LENGTH.pack(len(record)) + record
        if trace:
            fields += b"".join(_field(name, value) for name, value in trace_headers(trace).items())
        headers = _LENGTH.pack(len(fields)) + fields
    if priority is not None:
        flags |= _PRIORITY
        level = bytes((priority,))
    name = message_id.encode()
    return b"".join(
        (_FLAGS.pack(flags), _JSON, encoding, headers, _PERSISTENT, level, bytes((len(name),)), name, at)
    )


def _field(name: str, text: str) -> bytes:
    key, value = name.encode(), text.encode()
    return bytes((len(key),)) + key + b"S" + _LENGTH.pack(len(value)) + value


class Properties:
    """The properties of a message that has come.

    Args:
        raw: Flags, then the values of those that are set.
    """

    __slots__ = ("_headers", "_timestamp", "id", "priority")

    def __init__(self, raw: bytes) -> None:
        self.id = ""
        self.priority: int | None = None
        self._headers = b""
        self._timestamp = 0
        (flags,) = _FLAGS.unpack_from(raw)
        at = _FLAGS.size
        if flags & _CONTENT_TYPE:
            at += 1 + raw[at]
        if flags & _CONTENT_ENCODING:
            at += 1 + raw[at]
        if flags & _HEADERS:
            end = at + _LENGTH.size + _LENGTH.unpack_from(raw, at)[0]
            self._headers = raw[at + _LENGTH.size : end]
            at = end
        if flags & _DELIVERY_MODE:
            at += 1
        if flags & _PRIORITY:
            self.priority = raw[at]
            at += 1
        if flags & _BEFORE_ID:
            at = _after(raw, flags, at)
        if flags & _MESSAGE_ID:
            end = at + 1 + raw[at]
            self.id = _text(raw[at + 1 : end])
            at = end
        if flags & _TIME:
            (self._timestamp,) = _TIMESTAMP.unpack_from(raw, at)

    @property
    def has_headers(self) -> bool:
        """Whether it has any: a record, a trace and what the broker counts are headers."""
        return bool(self._headers)

    @property
    def published_at(self) -> float | None:
        """When it was published, in seconds since the epoch, as its producer or RabbitMQ's own interceptor has written it."""
        if self._headers:
            exact = self.header("timestamp_in_ms")
            if isinstance(exact, int) and exact // 1000 in _TIMES:
                return exact / 1000
        # Somewhere in this second.
        return self._timestamp + 0.5 if self._timestamp in _TIMES else None

    @property
    def trace(self) -> str:
        """Its trace, by W3C's headers."""
        if not self._headers:
            return ""
        return packed(_known(self.header("traceparent")), _known(self.header("tracestate")))

    @property
    def record(self) -> bytes | str | None:
        """What has happened to the task so far; None where somebody else uses this header."""
        headers = self._headers
        if headers.startswith(_RECORD_FIELD):  # as we write it: what is JSON need not be made text first
            begin = len(_RECORD_FIELD) + _LENGTH.size
            if begin <= len(headers):
                return headers[begin : begin + _LENGTH.unpack_from(headers, len(_RECORD_FIELD))[0]]
        record = self.header(_RECORD)
        return record if isinstance(record, bytes | str) else None

    @property
    def lost(self) -> int:
        """How often the broker had the message back, as it counts, which is never more than once beyond the limit."""
        count = self.header("x-delivery-count")
        return min(max(count, 0), DELIVERY_BACKSTOP + 1) if isinstance(count, int) else 0

    def header(self, name: str) -> Any:
        """The value of a header; None where there is none that can be read."""
        if not self._headers:  # as most have none
            return None
        key = name.encode()
        field = bytes((len(key),)) + key
        table, at = self._headers, 0
        try:
            while at < len(table):
                value = at + 1 + table[at]
                if table.startswith(field, at):
                    return decode_value(table, value)[0]
                size = _FIXED.get(table[value])
                if size is None:
                    size = _LENGTH.size + _LENGTH.unpack_from(table, value + 1)[0]
                at = value + 1 + size
        except _UNREADABLE:
            pass
        return None


def _after(raw: bytes, flags: int, at: int) -> int:
    """Where what is between the priority and the id ends."""
    for before in (Flags.FLAG_CORRELATION_ID, Flags.FLAG_REPLY_TO, Flags.FLAG_EXPIRATION):
        if flags & before:
            at += 1 + raw[at]
    return at


def _known(value: object) -> object:
    return _text(value) if isinstance(value, bytes) else value


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return ""

"""Headers of messages that pika cannot read although RabbitMQ takes them: it gives up the connection over them.

A time beyond the calendar or a table nested a thousand deep is enough, and one such message in the queue of failures
would keep everybody from reading it.
"""

from __future__ import annotations

import struct
from typing import Final

from pika.data import decode_value
from pika.exceptions import InvalidFieldTypeException
from pika.spec import BasicProperties

_FLAGS: Final = struct.Struct(">H")
_LENGTH: Final = struct.Struct(">I")
_FIXED: Final = {
    **dict.fromkeys(b"V", 0),
    **dict.fromkeys(b"tbB", 1),
    **dict.fromkeys(b"sUu", 2),
    **dict.fromkeys(b"Iif", 4),
    **dict.fromkeys(b"D", 5),
    **dict.fromkeys(b"lLdT", 8),
}
# What pika raises over a value: an odd time, a deep table, a number that is none, a kind that it does not know.
UNREADABLE: Final = (ValueError, OverflowError, OSError, RecursionError, InvalidFieldTypeException)


def readable(properties: bytes) -> bytes:
    """A message's properties without those headers that pika cannot read.

    Args:
        properties: As they came: flags, then their values.
    """
    (flags,) = _FLAGS.unpack_from(properties)
    at = _FLAGS.size
    for flag in (BasicProperties.FLAG_CONTENT_TYPE, BasicProperties.FLAG_CONTENT_ENCODING):
        if flags & flag:
            at += 1 + properties[at]
    if not flags & BasicProperties.FLAG_HEADERS:
        return properties
    (length,) = _LENGTH.unpack_from(properties, at)
    end = at + _LENGTH.size + length
    kept = b"".join(
        properties[start:stop]
        for start, value, stop in _fields(properties, at + _LENGTH.size, end)
        if _is_readable(properties, value)
    )
    return properties[:at] + _LENGTH.pack(len(kept)) + kept + properties[end:]


def _fields(table: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Where each field begins, where its value does, and where it ends."""
    found = []
    while at < end:
        value = at + 1 + table[at]
        kind = table[value]
        size = _FIXED.get(kind)
        if size is None:
            size = _LENGTH.size + _LENGTH.unpack_from(table, value + 1)[0]
        found.append((at, value, value + 1 + size))
        at = value + 1 + size
    return found


def _is_readable(table: bytes, value: int) -> bool:
    try:
        decode_value(table, value)
    except UNREADABLE:
        return False
    return True

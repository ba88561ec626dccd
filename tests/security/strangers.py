"""Messages as a hostile program publishes them: any body, any property, any header that AMQP can carry."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pika

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

    from warrener.address import Address

_HEADERS, _MESSAGE_ID = 1 << 13, 1 << 7


class Wired(pika.BasicProperties):  # type: ignore[misc] # pika does not say that it has annotations
    """Properties whose headers and message id are bytes that pika itself would not write.

    Args:
        table: The encoded fields of the header table, as from `field`.
        message_id: As it goes over the wire.
    """

    def __init__(self, table: bytes, message_id: bytes) -> None:
        super().__init__()
        self._wired = [
            struct.pack(">H", _HEADERS | _MESSAGE_ID),
            struct.pack(">I", len(table)) + table,
            bytes([len(message_id)]) + message_id,
        ]

    def encode(self) -> list[bytes]:
        return self._wired


def field(name: bytes, kind: bytes, value: bytes) -> bytes:
    """One field of a table."""
    return bytes([len(name)]) + name + kind + value


def nested(depth: int) -> bytes:
    """An array in an array, and so on."""
    value = b""
    for _ in range(depth):
        value = b"A" + struct.pack(">I", len(value)) + value
    return value


def send(
    channel: BlockingChannel, address: Address, body: object, properties: pika.BasicProperties | None = None
) -> None:
    """Publish a task as any producer may; what is no bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    channel.basic_publish(address.queue, "work", data, properties or pika.BasicProperties(), mandatory=True)


def task(id_: str, type_: str = "echo", **data: Any) -> dict[str, Any]:
    """A valid task."""
    return {"id": id_, "type": type_, "data": data, "priority": 5}

"""What goes over the wire is what pika would have written, and what pika does not tell is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pika
import pytest
from pika.connection import Connection
from pika.spec import Basic

from warren.brokers.rabbitmq.link import Link, _CorkedConnection
from warren.errors import BrokerUnreachable
from warren.settings import Address

FRAME_MAX = 100


class Written(_CorkedConnection):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self._publishes: dict[tuple[int, str, str], bytes] = {}
        self._body_max_length = FRAME_MAX

    def _output_marshaled_frames(self, frames: list[bytes]) -> None:
        self.written += b"".join(frames)


@pytest.mark.parametrize("size", [0, 1, FRAME_MAX, FRAME_MAX + 1, 3 * FRAME_MAX])
@pytest.mark.parametrize("more", [{}, {"headers": {"warren": "{}"}, "priority": 9}])
def test_messages_are_written_as_pika_writes_them(size: int, more: dict[str, Any]) -> None:
    properties = pika.BasicProperties(content_type="application/json", message_id="t", **more)
    publish = Basic.Publish(exchange="q", routing_key="work", mandatory=True)
    ours, theirs = Written(), Written()

    for _ in range(2):
        ours._send_message(7, publish, (properties, b"x" * size))
        Connection._send_message(theirs, 7, publish, (properties, b"x" * size))

    assert ours.written == theirs.written


async def test_connection_that_is_reset_at_once_is_an_error_at_once() -> None:
    def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    unhandled: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    async with await asyncio.start_server(reset, "127.0.0.1", 0) as balancer:
        port = balancer.sockets[0].getsockname()[1]
        for _ in range(30):
            with pytest.raises(BrokerUnreachable, match=r"reset|was lost"):
                await Link(Address(f"amqp://u:p@127.0.0.1:{port}"), lambda _: None, lambda: None).open()
    assert unhandled == []

"""A connection that does not come to be leaves nothing open."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import PATIENCE
from warrener.address import Address
from warrener.brokers.rabbitmq.amqp import connection as connections
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Silent:
    """A server that says what it is given, and nothing more."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.greeted = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(self.says)
        self.greeted.set()
        while await reader.read(1024):
            pass
        self.left.set()
        writer.close()


@asynccontextmanager
async def silent(says: bytes = b"") -> AsyncIterator[tuple[Silent, connections.Connection]]:
    server = Silent(says)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        address = Address(f"amqp://u:p@127.0.0.1:{port}")
        yield server, connections.Connection(address, lambda _: None, lambda: None)


async def test_broker_that_does_not_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.2)
    async with silent() as (server, connection), asyncio.timeout(PATIENCE):
        with pytest.raises(BrokerUnreachable):
            await connection.open()
        await server.left.wait()


async def test_one_that_is_cancelled_while_it_connects_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 100 * PATIENCE)  # after which pika hangs up by itself
    async with silent() as (server, connection), asyncio.timeout(PATIENCE):
        opening = asyncio.create_task(connection.open())
        await server.greeted.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await server.left.wait()


@pytest.mark.parametrize(
    "says",
    [
        struct.pack(">BHL", 1, 0, 0xFFFFFFFF) + b"x" * 100,
        struct.pack(">BHL", 8, 0, 131_073) + b"x" * 100,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["four gigabytes", "a byte too many", "HTTP", "SSH"],
)
async def test_what_is_no_frame_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, says: bytes) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 100 * PATIENCE)
    async with silent(says) as (server, connection), asyncio.timeout(PATIENCE):
        with pytest.raises(BrokerUnreachable):
            await connection.open()
        await server.left.wait()

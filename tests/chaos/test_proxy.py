from __future__ import annotations

import asyncio
import os
import random
import socket
import uuid
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pika
import pytest
from pika import exceptions as pika_errors

from tests.chaos.proxy import Proxy, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LOST: Final = pika_errors.AMQPError
PATIENCE: Final = 20


@pytest.fixture
def backend(rabbitmq: tuple[str, str]) -> tuple[str, int]:
    url = urlsplit(rabbitmq[0])
    return url.hostname or "", url.port or 5672


@pytest.fixture
async def proxy(backend: tuple[str, int]) -> AsyncIterator[Proxy]:
    async with Proxy([backend]) as proxy:
        yield proxy


@pytest.fixture
def near(rabbitmq: tuple[str, str]) -> Iterator[Client]:
    """A client that does not go through the proxy, with the queue."""
    client = Client(rabbitmq[0], f"test-{uuid.uuid4().hex[:12]}")
    client.channel.queue_declare(client.queue, durable=True)
    yield client
    client.channel.queue_delete(client.queue)
    client.connection.close()


class Client:
    """A plain client of one queue."""

    def __init__(self, url: str, queue: str, port: int | None = None, heartbeat: int = 30) -> None:
        parameters = pika.URLParameters(url)
        parameters.port = port or parameters.port
        parameters.heartbeat = heartbeat
        self.queue = queue
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()

    def publish(self, body: bytes, exchange: str = "") -> None:
        with suppress(LOST):  # which is found out later, too
            self.channel.basic_publish(exchange, self.queue, body)

    def get(self) -> tuple[int, bytes]:
        method, _, body = self.channel.basic_get(self.queue)
        return method.delivery_tag, body

    def ack(self, tag: int) -> None:
        with suppress(LOST):
            self.channel.basic_ack(tag)

    def left(self) -> int:
        """How many messages are in the queue, those included that somebody had and lost."""
        count: int = self.channel.queue_declare(self.queue, passive=True).method.message_count
        return count

    def until_lost(self) -> None:
        with pytest.raises(LOST):
            self.left()


@pytest.fixture
def far(rabbitmq: tuple[str, str], near: Client, proxy: Proxy) -> Client:
    """A client that goes through the proxy; each test ends its connection."""
    return Client(rabbitmq[0], near.queue, proxy.port)


async def is_cut(cut: asyncio.Future[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await cut


async def holds(near: Client, count: int) -> None:
    """Wait until the broker knows that the connection is lost."""
    async with asyncio.timeout(PATIENCE):
        while near.left() != count:
            await asyncio.sleep(0.02)


async def test_messages_of_every_size_pass_as_they_are(far: Client) -> None:
    bodies = [b"", b"x", *(os.urandom(size) for size in (131_064, 131_065, 1_000_000))]
    for body in bodies:
        far.publish(body)

    assert [far.get()[1] for _ in bodies] == bodies
    far.connection.close()


async def test_a_message_cut_before_it_is_published_is_not_there_and_those_before_are(
    far: Client, near: Client, proxy: Proxy
) -> None:
    cut = proxy.cut_at(Stage.BEFORE_PUBLISH, skip=2)
    for body in (b"1", b"2"):
        far.publish(body)
    await holds(near, 2)  # a reset takes away what the broker has not read
    far.publish(b"3")

    await is_cut(cut)
    far.until_lost()
    await holds(near, 2)


async def test_only_what_is_published_to_the_exchange_is_cut(far: Client, near: Client, proxy: Proxy) -> None:
    cut = proxy.cut_at(Stage.BEFORE_PUBLISH, exchange="amq.fanout")
    far.publish(b"1")
    await holds(near, 1)
    far.publish(b"2", "amq.fanout")

    await is_cut(cut)
    far.until_lost()
    await holds(near, 1)


@pytest.mark.parametrize("seed", range(8))
async def test_a_message_cut_in_the_middle_is_not_there(
    rabbitmq: tuple[str, str], near: Client, backend: tuple[str, int], seed: int
) -> None:
    async with Proxy([backend], chance=random.Random(seed)) as proxy:
        far = Client(rabbitmq[0], near.queue, proxy.port)
        far.publish(b"1")
        await holds(near, 1)
        cut = proxy.cut_at(Stage.MID_PUBLISH)
        far.publish(b"2" * 1000)

        await is_cut(cut)
        far.until_lost()
        await holds(near, 1)


async def test_a_message_cut_before_its_confirm_is_there(far: Client, near: Client, proxy: Proxy) -> None:
    cut = proxy.cut_at(Stage.BEFORE_CONFIRM)
    far.channel.confirm_delivery()
    far.publish(b"1")

    await is_cut(cut)
    far.until_lost()
    await holds(near, 1)


@pytest.mark.parametrize(("stage", "left"), [(Stage.BEFORE_ACK, 1), (Stage.MID_ACK, 1), (Stage.AFTER_ACK, 0)])
async def test_a_delivery_comes_back_unless_its_acknowledgement_was_forwarded(
    far: Client, near: Client, proxy: Proxy, stage: Stage, left: int
) -> None:
    near.publish(b"1")
    await holds(near, 1)
    tag, _ = far.get()
    cut = proxy.cut_at(stage)
    far.ack(tag)

    await is_cut(cut)
    far.until_lost()
    await holds(near, left)


async def test_what_was_skipped_is_acknowledged(far: Client, near: Client, proxy: Proxy) -> None:
    cut = proxy.cut_at(Stage.MID_ACK, skip=2)
    for body in (b"1", b"2", b"3", b"4"):
        near.publish(body)
    await holds(near, 4)
    for _ in range(3):
        far.ack(far.get()[0])

    await is_cut(cut)
    far.until_lost()
    await holds(near, 2)


async def test_all_connections_are_cut_and_new_ones_made(
    far: Client, rabbitmq: tuple[str, str], proxy: Proxy
) -> None:
    other = Client(rabbitmq[0], far.queue, proxy.port)

    assert proxy.connections == 2
    assert proxy.cut_all() == 2
    far.until_lost()
    other.until_lost()

    again = Client(rabbitmq[0], far.queue, proxy.port)
    assert again.left() == 0
    again.connection.close()


async def test_a_frozen_connection_goes_on_when_it_is_thawed(far: Client, near: Client, proxy: Proxy) -> None:
    proxy.freeze()
    asking = asyncio.create_task(asyncio.to_thread(far.left))
    near.publish(b"1")
    await holds(near, 1)
    assert not asking.done()
    proxy.thaw()

    assert await asking == 1
    far.connection.close()


async def test_the_broker_misses_the_heartbeat_of_a_frozen_connection(
    rabbitmq: tuple[str, str], near: Client, proxy: Proxy
) -> None:
    near.publish(b"1")
    await holds(near, 1)
    far = Client(rabbitmq[0], near.queue, proxy.port, heartbeat=1)
    assert far.get()[1] == b"1"
    proxy.freeze()

    await holds(near, 1)
    proxy.thaw()
    far.until_lost()


async def test_a_node_that_accepts_nobody_is_passed_over(
    rabbitmq: tuple[str, str], near: Client, backend: tuple[str, int]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        nobody = unused.getsockname()
    async with Proxy([nobody, backend]) as proxy:
        far = Client(rabbitmq[0], near.queue, proxy.port)
        assert far.left() == 0
        far.connection.close()
        proxy.lead_to([nobody])
        with pytest.raises(LOST):
            Client(rabbitmq[0], near.queue, proxy.port)


@pytest.mark.parametrize("piece", [1, 5, 13, 1000])
async def test_frames_are_found_in_pieces_of_any_size(piece: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as node:
        heartbeat = pika.frame.Heartbeat().marshal()
        ack = pika.frame.Method(1, pika.spec.Basic.Ack(7)).marshal()
        said = b"AMQP\x00\x00\x09\x01" + heartbeat + ack + heartbeat + ack
        async with Proxy([node.getsockname()]) as proxy:
            cut = proxy.cut_at(Stage.MID_ACK, skip=1)
            with closing(socket.create_connection(("127.0.0.1", proxy.port))) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(said), piece):
                    client.sendall(said[start : start + piece])
                await is_cut(cut)
                heard = b""
                with closing(node.accept()[0]) as connection:
                    while data := connection.recv(1000):
                        heard += data

    assert heard == said[: len(said) - len(ack) + len(ack) // 2]

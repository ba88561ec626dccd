"""The management API is asked over one connection, and one that is gone by then is no error."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.batch import eventually
from tests.chaos.proxy import Proxy
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.brokers.rabbitmq.management import Management
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"alarms":[]}'


@pytest.fixture
async def wire(rabbit_address: Address) -> AsyncIterator[Proxy]:
    """Between a test and the management API."""
    url = urlsplit(rabbit_address.management_url)
    async with Proxy([(url.hostname or "", url.port or 0)]) as proxy:
        yield proxy


@pytest.fixture
def behind(rabbit_address: Address, wire: Proxy) -> Address:
    """The queue with its management API behind that."""
    return msgspec.structs.replace(rabbit_address, management=f"http://127.0.0.1:{wire.port}")


async def test_a_connection_is_kept_until_it_is_closed(behind: Address, wire: Proxy) -> None:
    async with connect(behind) as broker:
        await broker.declare([])
        await broker.counts()
        (first,) = wire.wires
        for _ in range(3):
            assert not (await broker.counts()).notes
        assert wire.wires == {first}
        assert isinstance(broker, RabbitBroker)
        management = broker._queue.management
        await asyncio.gather(management.queues(), management.alarms(), management.queue(behind.queue))

        async def one_is_kept() -> bool:
            return wire.connections == 1

        await eventually(one_is_kept)

    async def all_are_closed() -> bool:
        return wire.connections == 0

    await eventually(all_are_closed)


async def test_a_connection_that_was_dropped_is_made_again(
    behind: Address, wire: Proxy, rabbit_address: Address
) -> None:
    there = urlsplit(rabbit_address.management_url)
    with closing(Management(behind)) as management:
        assert await management.alarms() == []
        assert wire.cut_all() == 1
        assert await management.alarms() == []
        wire.cut_all()
        await management.put("vhosts/%2F", {})

        wire.lead_to([])
        wire.cut_all()
        with pytest.raises(BrokerUnreachable):
            await management.alarms()
        wire.lead_to([(there.hostname or "", there.port or 0)])
        assert await management.alarms() == []


async def test_what_was_answered_is_asked_once_and_what_is_late_is_not_asked_again() -> None:
    with _Server() as server, closing(Management(server.address)) as management:
        for _ in range(3):  # closed after each answer, without a word of that
            assert await management.alarms() == []
        assert server.heard == [b"GET"] * 3
        server.is_silent.set()
        assert await management.alarms() == []
        with pytest.raises(BrokerUnreachable, match="timed out"):
            await management.queues(timeout=0.2)
    assert server.heard == [b"GET"] * 5


async def test_an_address_without_a_port_has_that_of_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], *_: object) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    for url in ("http://[2001:db8::beef]", "https://[::1]", "http://rabbit.example"):
        address = Address("amqp://localhost", "q", management=url)
        with closing(Management(address)) as management, pytest.raises(BrokerUnreachable):
            await management.alarms()
    assert asked == [("2001:db8::beef", 80), ("::1", 443), ("rabbit.example", 80)]


class _Server:
    """One that answers the first request of each connection, and closes it then; or, silent, keeps it and says nothing more."""

    def __init__(self) -> None:
        self.is_silent = threading.Event()
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.address = Address("amqp://user:secret@127.0.0.1/", management=f"http://127.0.0.1:{port}")
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                is_first = True
                while request := connection.recv(65536):
                    self.heard.append(request.partition(b" ")[0])
                    if is_first:
                        connection.sendall(ANSWER)
                    if not self.is_silent.is_set():
                        break
                    is_first = False

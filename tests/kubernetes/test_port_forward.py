"""A local port that leads to a pod, before a stand-in for the API server."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.conftest import TOKEN, write_kubeconfig
from warrener.kubernetes.client import tunnel
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.client.port_forward import Forward

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    Listen: TypeAlias = Callable[[Talk], Awaitable[int]]

LABELS = {"app": "rabbitmq"}
MEGABYTE = 1_000_000


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


@pytest.fixture
async def forward(api: ApiServer, tmp_path: Path) -> AsyncIterator[Forward]:
    kubeconfig = write_kubeconfig(tmp_path / "config", api.url, token=TOKEN)
    async with (
        asyncio.timeout(60),
        Cluster.open(kubeconfig=kubeconfig) as cluster,
        Forward(cluster, LABELS, 5672) as opened,
    ):
        yield opened


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start a server, "in a pod", and return its port."""
    servers: list[asyncio.Server] = []
    talks: set[asyncio.Task[None]] = set()

    async def start(talk: Talk) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            talks.add(task)
            try:
                await talk(reader, writer)
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def saying(text: bytes) -> Talk:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)

    return say


@asynccontextmanager
async def dial(forward: Forward) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def read_all(forward: Forward) -> bytes:
    """What a new connection brings; nothing when it is broken off."""
    async with dial(forward) as (reader, _):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def until(fact: Callable[[], bool]) -> None:
    while not fact():
        await asyncio.sleep(0.01)


async def test_data_goes_both_ways(api: ApiServer, forward: Forward, listen: Listen) -> None:
    api.pods = {"rabbitmq-0": await listen(echo)}

    async with dial(forward) as (reader, writer):
        for message in (b"one", b"two" * 50_000, b"\x00\x01"):
            writer.write(message)
            assert await reader.readexactly(len(message)) == message

        (request,) = api.requests
        assert request.path == "/api/v1/namespaces/batch/pods/rabbitmq-0/portforward?ports=5672"
        assert request.headers["Authorization"] == "Bearer secret-token"
        assert forward.problem is None


async def test_many_connections_at_once(api: ApiServer, forward: Forward, listen: Listen) -> None:
    api.pods = {"rabbitmq-0": await listen(echo)}

    async def converse(number: int) -> None:
        async with dial(forward) as (reader, writer):
            for turn in range(5):
                message = f"{number}.{turn}".encode() * 100
                writer.write(message)
                assert await reader.readexactly(len(message)) == message

    await asyncio.gather(*(converse(number) for number in range(120)))


async def test_each_connection_looks_for_the_pod_anew(
    api: ApiServer, forward: Forward, listen: Listen
) -> None:
    api.pods = {"rabbitmq-0": await listen(saying(b"old"))}
    assert await read_all(forward) == b"old"

    api.pods = {"rabbitmq-0": api.pods["rabbitmq-0"], "rabbitmq-1": await listen(saying(b"new"))}
    api.unready = {"rabbitmq-0"}
    assert await read_all(forward) == b"new"


async def test_no_pod_is_ready(api: ApiServer, forward: Forward, listen: Listen) -> None:
    api.pods, api.unready = {"rabbitmq-0": 1}, {"rabbitmq-0"}

    assert await read_all(forward) == b""

    assert forward.problem == (
        "no pod with app=rabbitmq in namespace batch is ready (1 exist): wait for it, or see `kubectl describe pod`"
    )
    api.pods, api.unready = {"rabbitmq-0": await listen(saying(b"here"))}, set()
    assert await read_all(forward) == b"here"
    await until(lambda: forward.problem is None)


async def test_nobody_listens_in_the_pod(api: ApiServer, forward: Forward) -> None:
    api.pods = {"rabbitmq-0": 1}

    assert await read_all(forward) == b""

    assert forward.problem == (
        "cannot forward a port to Pod rabbitmq-0, port 5672: error forwarding port: connection refused"
    )


async def test_forwarding_is_refused(api: ApiServer, forward: Forward) -> None:
    message = 'pods "rabbitmq-0" is forbidden: User "me" cannot create resource "pods/portforward"'
    api.pods, api.refusal = {"rabbitmq-0": 1}, (403, json.dumps({"message": message}))

    assert await read_all(forward) == b""

    assert forward.problem == f"cannot forward a port to Pod rabbitmq-0: {message}"


async def test_the_pod_closes(api: ApiServer, forward: Forward, listen: Listen) -> None:
    api.pods = {"rabbitmq-0": await listen(saying(b"bye"))}

    async with dial(forward) as (reader, _):
        assert await reader.read() == b"bye"  # and the end


async def test_a_half_closed_connection_still_gets_its_answer(
    api: ApiServer, forward: Forward, listen: Listen
) -> None:
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(1)  # longer than the node would wait if it were told
        writer.write(b"answer")

    api.pods = {"rabbitmq-0": await listen(answer_late)}

    async with dial(forward) as (reader, writer):
        writer.write(b"question\n")
        writer.write_eof()
        assert await reader.read() == b"answer"


async def test_a_connection_that_nobody_uses_on_ends(
    api: ApiServer,
    forward: Forward,
    listen: Listen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tunnel, "LINGER_SECONDS", 0.05)
    api.pods = {"rabbitmq-0": await listen(echo)}

    async with dial(forward):
        await until(lambda: bool(api.tunnels))
    await until(lambda: not api.tunnels)


async def test_a_lost_connection_is_broken_off_not_finished(
    api: ApiServer, forward: Forward, listen: Listen
) -> None:
    api.pods = {"rabbitmq-0": await listen(echo)}
    async with dial(forward) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)

        for tunnel in api.tunnels:
            tunnel.transport.abort()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert forward.problem is not None
        assert forward.problem.startswith("the connection to Pod rabbitmq-0 was lost")


async def test_large_transfers_arrive_whole(api: ApiServer, forward: Forward, listen: Listen) -> None:
    sent = hashlib.sha256()
    received = hashlib.sha256()

    async def digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = 100 * MEGABYTE
        while left and (data := await reader.read(65536)):
            received.update(data)
            left -= len(data)
        writer.write(received.digest())

    api.pods = {"rabbitmq-0": await listen(digest)}

    async with dial(forward) as (reader, writer):
        for number in range(100):
            data = bytes([number]) * MEGABYTE
            sent.update(data)
            writer.write(data)
            await writer.drain()
        assert await reader.read() == sent.digest()


async def test_whoever_does_not_read_is_not_sent_more(
    api: ApiServer, forward: Forward, listen: Listen
) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async def stuck() -> bool:
        """Whether sending has stopped, before it has come far."""
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.5)
        return 0 < sent < 40 * MEGABYTE  # what the kernel's buffers of five sockets take

    # From the pod: the local side does not read.
    api.pods = {"rabbitmq-0": await listen(lambda _, writer: flood(writer))}
    async with dial(forward):
        assert await stuck()
    # To the pod: the pod does not read.
    sent = 0
    api.pods = {"rabbitmq-0": await listen(lambda *_: asyncio.sleep(3600))}
    async with dial(forward) as (_, writer):
        flooding = asyncio.create_task(flood(writer))
        assert await stuck()
        flooding.cancel()


async def test_leaving_closes_the_port_and_its_connections(
    api: ApiServer, tmp_path: Path, listen: Listen
) -> None:
    api.pods = {"rabbitmq-0": await listen(echo)}
    kubeconfig = write_kubeconfig(tmp_path / "config", api.url)

    async with Cluster.open(kubeconfig=kubeconfig) as cluster, AsyncExitStack() as stack:
        async with Forward(cluster, LABELS, 5672) as forward:
            reader, writer = await stack.enter_async_context(dial(forward))
            writer.write(b"x")
            await reader.readexactly(1)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await stack.enter_async_context(dial(forward))
        await until(lambda: not api.tunnels)

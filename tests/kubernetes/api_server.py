"""Stands in for an API server and a node before one pod after another, as far as a port-forward sees them.

It lists pods over HTTP and forwards websockets to TCP servers, with the habits of the real ones: each channel
begins with the port's number, a port nobody listens on is told on the second channel, and a connection ends a
second after its first half did.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

GRACE_SECONDS = 0.2


class ApiServer:
    """Open while in `async with`.

    Attributes:
        pods: Name of each pod -> the local port that stands for its ports; 0 where nobody listens.
        ports: The local port that stands for one port of all pods, where they have several.
        unready: The pods that are not ready.
        refusal: Status and body of the answer to a websocket, instead of opening it.
        requests: Every websocket's request.
    """

    def __init__(self) -> None:
        self.pods: dict[str, int] = {}
        self.ports: dict[int, int] = {}
        self.unready: set[str] = set()
        self.refusal: tuple[int, str] | None = None
        self.requests: list[Request] = []
        self.tunnels: set[ServerConnection] = set()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._forward,
            "127.0.0.1",
            0,
            process_request=self._answer,
            subprotocols=["v4.channel.k8s.io"],  # type: ignore[list-item]
            compression=None,
            close_timeout=0.2,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" not in request.headers:
            pods = [self._pod(name) for name in self.pods]
            return connection.respond(
                HTTPStatus.OK, json.dumps({"metadata": {"resourceVersion": "1"}, "items": pods})
            )
        self.requests.append(request)
        if self.refusal:
            return connection.respond(HTTPStatus(self.refusal[0]), self.refusal[1])
        return None

    def _pod(self, name: str) -> dict[str, Any]:
        ready = {"type": "Ready", "status": "False" if name in self.unready else "True"}
        return {"metadata": {"name": name}, "status": {"conditions": [ready]}}

    async def _forward(self, tunnel: ServerConnection) -> None:
        assert tunnel.request is not None
        url = urlsplit(tunnel.request.path)
        name = url.path.split("/")[-2]
        port = int(parse_qs(url.query)["ports"][0])
        greeting = port.to_bytes(2, "little")
        await tunnel.send(b"\x00" + greeting)
        await tunnel.send(b"\x01" + greeting)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.get(port, self.pods[name]))
        except OSError:
            await tunnel.send(b"\x01error forwarding port:\nconnection refused")
            return
        self.tunnels.add(tunnel)
        ways = [asyncio.create_task(_to_pod(tunnel, writer)), asyncio.create_task(_from_pod(tunnel, reader))]
        try:
            _, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(others, timeout=GRACE_SECONDS)
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            self.tunnels.discard(tunnel)


async def _to_pod(tunnel: ServerConnection, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionClosed, OSError):
        async for message in tunnel:
            assert isinstance(message, bytes)
            assert message[0] == 0
            writer.write(message[1:])
            await writer.drain()


async def _from_pod(tunnel: ServerConnection, reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionClosed, OSError):
        while data := await reader.read(32 * 1024):
            await tunnel.send(b"\x00" + data)

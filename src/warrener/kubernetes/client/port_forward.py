"""A local port that leads to a pod's, through the API server and without kubectl."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from warrener.errors import ClusterError, ClusterUnreachable, ObjectMissing, UsageError
from warrener.kubernetes.client.kubeconfig import EXTRA_MISSING
from warrener.kubernetes.client.refusals import refusal
from warrener.kubernetes.diagnosis.diagnosis import is_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from websockets.asyncio.client import ClientConnection

    from warrener.kubernetes.client.cluster import Cluster

log = logging.getLogger(__name__)

# The protocol that runtimes speak themselves: one websocket per connection, each message led by its channel's
# number. The newer one tunnels SPDY for the sake of many connections in one; it can pass on a half-closed
# connection, but the runtimes end those a second later, so that whoever half-closes loses the answer.
PROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_ERROR: Final = 1
_CHUNK: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # linger: yes, for 0 s
# The protocol cannot tell the pod that our side has said everything, nor us whether anyone still listens there.
LINGER_SECONDS: Final = 10.0


class Forward:
    """A free port of 127.0.0.1, open while in `async with`, each of whose connections leads to a ready pod.

    The pod is chosen anew for every connection, so the port outlives it. A connection that cannot be made, or that
    breaks, is closed; `problem` says why.

    Args:
        cluster: Where the pods are.
        labels: What the pods carry.
        port: The pod's port.
    """

    def __init__(self, cluster: Cluster, labels: Mapping[str, str], port: int) -> None:
        self._cluster = cluster
        self._labels = dict(labels)
        self._pod_port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.problem: str | None = None

    async def __aenter__(self) -> Self:
        try:
            import websockets  # noqa: F401 - found missing here rather than with the first connection
        except ImportError:
            raise UsageError(EXTRA_MISSING) from None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._tunnel() as tunnel:
                await _Pair(reader, writer, tunnel).carry()
            self.problem = None
            writer.close()  # flushes
            with suppress(OSError):
                await writer.wait_closed()
        except ClusterError as error:
            self.problem = str(error)
            log.info("a forwarded connection ended: %s", error)
        except OSError as error:
            log.debug("the local side of a forwarded connection ended: %s", error)
        finally:
            if not writer.is_closing():
                # Reset it: what broke must not look as if it had come to its end.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    @asynccontextmanager
    async def _tunnel(self) -> AsyncIterator[ClientConnection]:
        from websockets import exceptions
        from websockets.asyncio.client import connect

        pod = await self._ready_pod()
        deed = f"forward a port to Pod {pod}"
        endpoint = await self._cluster.endpoint(
            f"/api/v1/namespaces/{self._cluster.namespace}/pods/{pod}/portforward?ports={self._pod_port}"
        )
        tunnel = connect(
            endpoint.url,
            ssl=endpoint.tls,
            additional_headers=endpoint.headers,
            subprotocols=[PROTOCOL],  # type: ignore[list-item] # a NewType of str
            compression=None,  # the servers know none
            ping_timeout=None,  # while the pod takes no data, the servers answer no ping
            open_timeout=10,
            close_timeout=1,
        )
        try:
            connection = await tunnel
        except exceptions.InvalidStatus as error:
            raise refusal(
                error.response.status_code, _status(error.response.body), deed, self._cluster.server
            ) from error
        except (exceptions.WebSocketException, OSError, TimeoutError) as error:
            raise ClusterUnreachable(
                f"cannot {deed}: {self._cluster.server}: {error or type(error).__name__}"
            ) from error
        try:
            yield connection
        except exceptions.ConnectionClosedError as error:
            raise ClusterUnreachable(f"the connection to Pod {pod} was lost: {error}") from error
        except _PodError as error:
            raise ClusterUnreachable(f"cannot {deed}, port {self._pod_port}: {error}") from error
        finally:
            await connection.close()

    async def _ready_pod(self) -> str:
        pods = await self._cluster.list("Pod", self._labels)
        for pod in pods:
            if is_ready(pod) and not pod["metadata"].get("deletionTimestamp"):
                return str(pod["metadata"]["name"])
        labels = ",".join(f"{key}={value}" for key, value in self._labels.items())
        raise ObjectMissing(
            f"no pod with {labels} in namespace {self._cluster.namespace} is ready ({len(pods)} exist): "
            "wait for it, or see `kubectl describe pod`"
        )


class _PodError(Exception):
    """What the pod's node says instead of forwarding."""


class _Pair:
    """A local connection and its websocket. Each side is read only as fast as the other one takes it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tunnel: ClientConnection
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._tunnel = tunnel
        self._received = 0

    async def carry(self) -> None:
        """Carry data both ways until the pod has closed its side, or ours has and the pod is silent."""
        ways = {asyncio.create_task(self._to_pod()), asyncio.create_task(self._from_pod())}
        try:
            finished, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in finished:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _to_pod(self) -> None:
        from websockets.exceptions import ConnectionClosedOK

        with suppress(ConnectionClosedOK):
            while data := await self._reader.read(_CHUNK):
                await self._tunnel.send(bytes([_DATA]) + data)
        received = -1
        while received != self._received:
            received = self._received
            await asyncio.sleep(LINGER_SECONDS)

    async def _from_pod(self) -> None:
        greeted: set[int] = set()
        async for message in self._tunnel:  # ends when the pod's side closes
            if not isinstance(message, bytes) or not message:
                continue
            channel, data = message[0], message[1:]
            if channel not in greeted:  # each channel begins with the port's number
                greeted.add(channel)
                data = data[2:]
            if channel == _ERROR and data:
                raise _PodError(" ".join(data.decode(errors="replace").split()))
            if channel == _DATA:
                self._received += len(data)
                self._writer.write(data)
                await self._writer.drain()


def _status(body: bytes | bytearray | None) -> dict[str, object]:
    try:
        status = json.loads(body or b"{}")
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}

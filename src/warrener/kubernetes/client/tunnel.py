"""One connection to a port of a pod, over a websocket that the API server passes on."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from warrener.companion import until_one_ends
from warrener.errors import ClusterUnreachable
from warrener.kubernetes.client.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

    from warrener.kubernetes.client.cluster import Cluster

# The protocol that runtimes speak themselves: one websocket per connection, each message led by its channel's
# number. The newer one tunnels SPDY for the sake of many connections in one; it can pass on a half-closed
# connection, but the runtimes end those a second later, so that whoever half-closes loses the answer.
PROTOCOL: Final = "v4.channel.k8s.io"
CHUNK: Final = 64 * 1024
# The protocol cannot tell the pod that our side has said everything, nor us whether anyone still listens there.
LINGER_SECONDS: Final = 10.0

_DATA: Final = 0
_ERROR: Final = 1


async def carry(
    cluster: Cluster, pod: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Connect to a pod's port, and carry data both ways until the pod has closed its side, or ours has and it is silent.

    Raises:
        ClusterError: The connection cannot be made, or breaks.
        OSError: The local side breaks.
    """
    async with _opened(cluster, pod, port) as tunnel:
        await _Pair(reader, writer, tunnel).carry()


@asynccontextmanager
async def _opened(cluster: Cluster, pod: str, port: int) -> AsyncIterator[ClientConnection]:
    from websockets import exceptions
    from websockets.asyncio.client import connect

    deed = f"forward a port to Pod {pod}"
    endpoint = await cluster.endpoint(
        f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/portforward?ports={port}"
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
            error.response.status_code, _status(error.response.body), deed, cluster.server
        ) from error
    except (exceptions.WebSocketException, OSError, TimeoutError) as error:
        raise ClusterUnreachable(
            f"cannot {deed}: {cluster.server}: {str(error) or type(error).__name__}"
        ) from error
    try:
        yield connection
    except exceptions.ConnectionClosedError as error:
        raise ClusterUnreachable(f"the connection to Pod {pod} was lost: {error}") from error
    except _PodError as error:
        raise ClusterUnreachable(f"cannot {deed}, port {port}: {error}") from error
    finally:
        await connection.close()


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
        await until_one_ends(self._to_pod(), self._from_pod())

    async def _to_pod(self) -> None:
        from websockets.exceptions import ConnectionClosedOK

        with suppress(ConnectionClosedOK):
            while data := await self._reader.read(CHUNK):
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

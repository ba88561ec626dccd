"""A local port that leads to a pod's, through the API server and without kubectl."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from warrener.errors import ClusterError, ObjectMissing, UsageError
from warrener.kubernetes.client.kubeconfig import EXTRA_MISSING
from warrener.kubernetes.client.tunnel import CHUNK, carry
from warrener.kubernetes.objects import is_ready

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.kubernetes.client.cluster import Cluster

log = logging.getLogger(__name__)

_RESET: Final = struct.pack("ii", 1, 0)  # linger: yes, for 0 s


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
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK)
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
            pod = await self._ready_pod()
            await carry(self._cluster, pod, self._pod_port, reader, writer)
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

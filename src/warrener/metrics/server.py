"""A small HTTP server in the worker's own event loop: it answers GET on a few paths, each on a connection of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

# Whoever is slow, or many, is sent away: this is for a kubelet and for Prometheus.
_HEAD_WITHIN: Final = 5.0
_SENT_WITHIN: Final = 10.0
_LARGEST_HEAD: Final = 16 * 1024
_MOST: Final = 32
_TEXT: Final = "text/plain; charset=utf-8"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Answer(NamedTuple):
    """What is answered.

    Args:
        status: HTTP's.
        body: All of it.
        content_type: Its kind.
    """

    status: int
    body: bytes
    content_type: str = _TEXT


class Server:
    """Serves paths until it is closed.

    Args:
        paths: Who answers on each; given the request's `Accept`. They may take their time, others are served meanwhile.
    """

    def __init__(self, paths: Mapping[str, Callable[[str], Awaitable[Answer]]]) -> None:
        self._paths = paths
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str | None, port: int) -> int:
        """Listen; the port, which the system chooses where 0 is asked for.

        Args:
            host: An address of this machine; None for all.
            port: Which.

        Raises:
            UsageError: It cannot be listened there.
        """
        try:
            listening = _listening(host, port)
            self._server = await asyncio.start_server(self._serve, sock=listening, limit=_LARGEST_HEAD)
        except OSError as error:
            place = f" of {host!r}" if host else ""
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise UsageError(
                f"port {port}{place} for metrics cannot be had ({why}): use another one"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more; what is being answered is not."""
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= _MOST:
            writer.close()
            return
        self._open.add(task)
        try:
            with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_HEAD_WITHIN):
                    head = await reader.readuntil(b"\r\n\r\n")
                answer, has_body = await self._answer(head)
                async with asyncio.timeout(_SENT_WITHIN):
                    writer.write(_written(answer, has_body=has_body))
                    await writer.drain()
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, head: bytes) -> tuple[Answer, bool]:
        """What is answered to a request, and whether with its body."""
        first, *lines = head.decode("latin-1").split("\r\n")
        try:
            method, target, _ = first.split(" ")
        except ValueError:
            return Answer(400, b"this is no request\n"), True
        answer = self._paths.get(target.partition("?")[0])
        if answer is None:
            return Answer(404, f"there is {', '.join(self._paths)}\n".encode()), method != "HEAD"
        if method not in ("GET", "HEAD"):
            return Answer(405, b"there is only GET\n"), True
        fields = (line.partition(":") for line in lines)
        accept = ",".join(value.strip() for name, _, value in fields if name.lower() == "accept")
        return await answer(accept), method == "GET"


def _listening(host: str | None, port: int) -> socket.socket:
    """A socket of an address, or of all of this machine's, of both kinds where it has both."""
    if host:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _written(answer: Answer, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (answer.body if has_body else b"")

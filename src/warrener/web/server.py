"""The server: it listens, prints its link, and ends at once when it is told to, whatever streams are open."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import uvicorn

from warrener.errors import UsageError
from warrener.web.app import make_page
from warrener.web.door import TOKEN
from warrener.web.watches import LINGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.web.door import Door
    from warrener.web.house import House

PORT: Final = 8377
_END_WITHIN: Final = 1.0  # seconds
_BACKLOG: Final = 128


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens.

    Args:
        host: An address of this machine.
        port: Which; None for the usual one, or any where that is taken.

    Raises:
        UsageError: It cannot be had.
    """
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _bound(host, 0)
        raise UsageError(
            f"port {port or PORT} of {host} cannot be had: {error.strerror}; name another one with --port"
        ) from error


def link(door: Door, port: int, queue: str | None) -> str:
    """The address to open, which lets in whoever has it."""
    host = door.host
    if door.proxy:
        place = f"https://{door.proxy}"
    else:
        name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - any address of this machine
        place = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    query = {name: value for name, value in (("queue", queue), (TOKEN, door.token)) if value}
    return f"{place}/?{urlencode(query)}" if query else f"{place}/"


async def serve(
    house: House, door: Door, listener: socket.socket, until: asyncio.Event, linger: float = LINGER
) -> None:
    """Serve the page until an event is set, or this is cancelled.

    Args:
        house: What the page is about.
        door: Who may come in.
        listener: As `listen` gives it; it is closed in the end.
        until: Ends it.
        linger: See `warrener.web.watches`.
    """
    page = make_page(house, door, linger)
    config = uvicorn.Config(
        page.app,
        log_config=None,
        access_log=False,
        server_header=False,
        http="h11",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        loop="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ending = asyncio.create_task(until.wait())
    try:
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        page.watches.end_streams()
        server.should_exit = True
        await asyncio.wait({serving}, timeout=_END_WITHIN)
        server.force_exit = True
        await asyncio.wait({serving}, timeout=_END_WITHIN)
    finally:
        for task in (serving, ending):
            task.cancel()
        await asyncio.gather(serving, ending, return_exceptions=True)
        await page.watches.close()
        with suppress(OSError):
            listener.close()
    if serving.done() and not serving.cancelled():
        serving.result()


class _Server(uvicorn.Server):
    """One that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener

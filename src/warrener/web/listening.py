"""Where the page is: a socket that listens, and the address to open. Nothing here needs what the server needs."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from warrener.errors import UsageError

if TYPE_CHECKING:
    from warrener.web.door import Door

PORT: Final = 8377
TOKEN: Final = "token"  # noqa: S105 - a parameter's name
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

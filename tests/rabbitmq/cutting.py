"""The TCP connection under a broker's feet."""

from __future__ import annotations

import socket


def cut(broker: object) -> None:
    """Cut it, so that the broker here finds out by itself."""
    transport = broker._connections._connection._frames._transport  # type: ignore[attr-defined]
    transport._sock.shutdown(socket.SHUT_RDWR)

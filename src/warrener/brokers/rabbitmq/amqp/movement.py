"""What moves on a connection while an answer is waited for: over a slow line a large message before it takes its time."""

from __future__ import annotations

import fcntl
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

    from warrener.brokers.rabbitmq.amqp.frames import Frames

_COUNT: Final = struct.Struct("i")


class Movement:
    """What moves, from the moment on in which something is asked, or published to be confirmed.

    Args:
        frames: Of the connection.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._received = frames.bytes_received
        self._sent, self._asked = frames.outgoing

    def goes_on(self) -> bool:
        """Whether, since the last time, more of a message has arrived, or more has gone out up to the end of what was asked."""
        received, (sent, _) = self._frames.bytes_received, self._frames.outgoing
        is_arriving = self._frames.is_arriving and received > self._received
        is_leaving = self._sent < min(sent, self._asked)
        self._received, self._sent = received, sent
        return is_arriving or is_leaving


def unsent(connection: socket.socket | None) -> int:
    """How many bytes the system has yet to bring to the other side, as far as it tells."""
    found = bytearray(_COUNT.size)
    if connection is not None:
        with suppress(OSError):
            fcntl.ioctl(connection, termios.TIOCOUTQ, found)
    return int(_COUNT.unpack(found)[0])

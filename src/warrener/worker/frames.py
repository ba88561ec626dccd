"""What the supervisor and its children say to each other: MessagePack frames over a Unix socket.

A frame is a mark, its length in four bytes, then that many bytes. A child's socket is within reach of its handlers:
by the mark the supervisor sees what they may have written there. Nothing is ever pickled.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

T = TypeVar("T")

READ: Final = 1 << 16
"""Bytes to read at a time: for buffers twice as large the C library asks the system each time, which costs more than
the reading."""
_MARK: Final = b"\xc1wrn"  # a byte that neither text nor MessagePack begins with
_HEADER: Final = struct.Struct(">4sI")


class NoFrame(Exception):  # noqa: N818 - reads as what is the case
    """What came over the socket is not what the other side writes."""


class WorkItem(msgspec.Struct, frozen=True, array_like=True):
    """One task for a child.

    Args:
        key: The supervisor's own number for this attempt.
        type: The task's.
        id: The task's.
        priority: The task's.
        data: The task's, as JSON.
        attempt: 1 for the task's first one.
        trace: As `Delivery.trace`.
        ready_at: Since when it could have begun, of a task with a trace; None where nobody knows.
    """

    key: int
    type: str
    id: str
    priority: int
    data: bytes
    attempt: int = 1
    trace: str = ""
    ready_at: float | None = None


class WorkBatch(msgspec.Struct, frozen=True, array_like=True):
    """To a child: tasks to run, or, with no tasks, the wish to have back those not yet started.

    Args:
        items: The tasks.
        is_ping: Whether the child is to say that it is alive instead.
        is_stop: Whether it is to know, instead, that the worker stops.
        is_question: Whether it is to say, instead, how far its tasks are.
    """

    items: list[WorkItem] = []
    is_ping: bool = False
    is_stop: bool = False
    is_question: bool = False


class Report(msgspec.Struct, frozen=True, array_like=True, tag="report"):
    """From a child: how one task ended.

    Args:
        key: The work item's key.
        kind: `completed`, `failed` (to be tried again), `permanent`, `invalid`, `unknown-type` or `stopped` (to be requeued).
        started_at: Seconds since the epoch.
        duration: Seconds.
        peak_memory: Of the child so far, in bytes.
        value: The handler's return value as JSON.
        error: The exception's type.
        message: What it said.
        traceback: The end of its traceback.
        after: The delay the handler asked for, in seconds.
        trace: The context of its span, as `Delivery.trace`, where it was one.
    """

    key: int
    kind: str
    started_at: float
    duration: float
    peak_memory: int
    value: bytes = b""
    error: str = ""
    message: str = ""
    traceback: str = ""
    after: float | None = None
    trace: str = ""


class Returned(msgspec.Struct, frozen=True, array_like=True, tag="returned"):
    """From a child: the tasks it had not started and returns."""

    keys: list[int]


class Alive(msgspec.Struct, frozen=True, array_like=True, tag="alive"):
    """From a child: nothing keeps it from running its handlers."""


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="progress"):
    """From a child: how far those of its attempts are that say so.

    Args:
        reported: By the work item's key how much is done, and of how much.
    """

    reported: dict[int, tuple[int | float, int | float | None]]


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """From a child that had to prepare itself: it can run tasks."""


class Unready(msgspec.Struct, frozen=True, array_like=True, tag="unready"):
    """From a child that had to prepare itself: it cannot, and ends.

    Args:
        sentence: Why.
        is_lasting: Whether another one could not either.
    """

    sentence: str
    is_lasting: bool


FromChild = Report | Returned | Alive | Progress | Ready | Unready


def pack(value: Any) -> bytes:
    """One frame."""
    body = msgspec.msgpack.encode(value)
    return _HEADER.pack(_MARK, len(body)) + body


RETURN_WAITING: Final = pack(WorkBatch())
PING: Final = pack(WorkBatch(is_ping=True))
STOP: Final = pack(WorkBatch(is_stop=True))
QUESTION: Final = pack(WorkBatch(is_question=True))


class Unpacker(Generic[T]):
    """Reads messages from a stream of bytes.

    Args:
        decoder: Of the messages that may come.
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder = decoder
        self._rest = bytearray()
        self._large = memoryview(b"")  # where the large message that has begun to come will be whole
        self._has = 0  # bytes of it

    def receive(self, connection: socket.socket) -> Iterator[T] | None:
        """Read from a socket once: as `feed`; None where it has ended.

        Raises:
            OSError: As the socket's.
            NoFrame: As `feed`.
        """
        if room := self._large[self._has :]:  # it comes to where it stays: its copies cost more than all else
            count = connection.recv_into(room)
            return self._go_on(count) if count else None
        data = connection.recv(READ)
        return self.feed(data) if data else None

    def feed(self, data: bytes) -> Iterator[T]:
        """The messages that are complete with this data; take them all before the next data comes.

        Raises:
            NoFrame: Something else came, after the messages before it.
        """
        if room := self._large[self._has :]:
            count = min(len(room), len(data))
            room[:count] = data[:count]
            yield from self._go_on(count)
            data = data[count:]
        rest = self._rest
        if rest:
            rest += data
        buffer = rest or data
        decode, start, size = self._decoder.decode, 0, len(buffer)
        while size - start >= _HEADER.size:
            mark, length = _HEADER.unpack_from(buffer, start)
            if mark != _MARK:
                raise NoFrame
            end = start + _HEADER.size + length
            if size < end:
                if end - size > READ:
                    self._begin_large(buffer[start:], end - start)
                    start = size
                break
            try:
                message = decode(buffer[start + _HEADER.size : end])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise NoFrame from error
            yield message
            start = end
        if rest:
            del rest[:start]
        else:
            rest += data[start:]

    def _begin_large(self, beginning: bytes | bytearray, size: int) -> None:
        self._large, self._has = memoryview(bytearray(size)), len(beginning)
        self._large[: self._has] = beginning

    def _go_on(self, count: int) -> Iterator[T]:
        """So many more bytes of the large message are there: the message, if that is all of it."""
        self._has += count
        if self._has < len(self._large):
            return
        body, self._large, self._has = self._large[_HEADER.size :], memoryview(b""), 0
        try:
            message = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoFrame from error
        yield message

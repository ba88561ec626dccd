"""What the supervisor and its children say to each other: MessagePack frames over a Unix socket.

A frame is its length in four bytes, then that many bytes. Nothing is ever pickled.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

from warren.retries import RetryPolicy

HEADER: Final = struct.Struct(">I")


class Order(msgspec.Struct, frozen=True, array_like=True):
    """One task for a child: `key` is the supervisor's own number for this attempt."""

    key: int
    type: str
    id: str
    priority: int
    data: bytes


class Orders(msgspec.Struct, frozen=True, array_like=True):
    """To a child: tasks to run, or, with no tasks, the wish to have back those not yet started."""

    orders: list[Order] = []


class Report(msgspec.Struct, frozen=True, array_like=True):
    """From a child: how one task ended.

    Args:
        key: The order's key.
        kind: `completed`, `failed` (to be tried again), `permanent` or `invalid`.
        started_at: Seconds since the epoch.
        duration: Seconds.
        peak_memory: Of the child so far, in bytes.
        value: The handler's return value as JSON.
        error: The exception's type.
        message: What it said.
        traceback: The end of its traceback.
        after: The delay the handler asked for, in seconds.
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


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """From a child: the tasks it had not started and gives back."""

    keys: list[int]


class HandlerRules(msgspec.Struct, frozen=True):
    """What the supervisor must know of a handler; the function itself stays in the children."""

    retries: int
    base: float
    timeout: float | None


class Hello(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an app is, told once it is imported.

    Args:
        handlers: Rules by type; the type `*` takes every other one.
        slots: How many tasks one child runs at a time.
        error: Why the app cannot be used.
    """

    handlers: dict[str, HandlerRules] = {}
    slots: int = 1
    error: str = ""

    @property
    def policies(self) -> list[RetryPolicy]:
        """The retry policies of all handlers."""
        return [RetryPolicy(rule.retries, rule.base) for rule in self.handlers.values()]


class ChildSettings(msgspec.Struct, frozen=True):
    """What a child runs, and how.

    Args:
        app: As `warren.app.load` takes it; empty when a command is run instead.
        command: A shell-quoted command line that performs every task.
        threads: How many tasks a child runs at a time, in threads, where no handler is `async`.
        concurrency: How many it runs at a time where one is.
        timeout: Seconds, for a command.
        retries: For a command.
    """

    app: str = ""
    command: str = ""
    threads: int = 1
    concurrency: int = 32
    timeout: float | None = None
    retries: int = 3


def pack(value: Any) -> bytes:
    """One frame."""
    body = msgspec.msgpack.encode(value)
    return HEADER.pack(len(body)) + body


class Unpacker:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete with this data."""
        buffer = self._buffer
        buffer += data
        frames = []
        start = 0
        while len(buffer) - start >= HEADER.size:
            (size,) = HEADER.unpack_from(buffer, start)
            end = start + HEADER.size + size
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[start + HEADER.size : end]))
            start = end
        del buffer[:start]
        return frames

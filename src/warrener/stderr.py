"""Whole lines to stderr, written by a thread of its own: whoever has the connection must not wait for room there."""

from __future__ import annotations

import atexit
import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIPTOR: Final = 2
# A pipe takes so much at once, or nothing of it, so that lines of other processes come before or after.
_AT_ONCE: Final = select.PIPE_BUF
_BEHIND: Final = 1 << 20  # bytes
# Seconds between two writes, so that many lines cost one; and after which a reader that takes nothing is given up.
_PAUSE: Final = 0.005
_STUCK_AFTER: Final = 1.0


@cache
def stderr() -> Stderr:
    """The one of this process."""
    return Stderr()


class Stderr:
    """Lines on their way to stderr."""

    def __init__(self) -> None:
        self.above: Callable[[bytes], None] | None = None
        """Instead of the descriptor, while a line that moves stands at the end of the terminal."""
        self.as_json = False
        """Whether a program reads it, and each line is to be a JSON object; whoever puts lines sees to it."""
        self._lines: deque[bytes] = deque()
        self._put = self._written = 0  # bytes
        self._counting = threading.Lock()
        self._has_more = threading.Event()
        self._thread: threading.Thread | None = None
        atexit.register(self.flush)

    def put(self, lines: bytes) -> None:
        """Have lines written, each with its end. It returns at once; any thread may call it."""
        self._lines.append(lines)
        with self._counting:
            self._put += len(lines)
            if self._thread is None or not self._thread.is_alive():  # not begun, or left behind by a fork
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
        if not self._has_more.is_set():
            self._has_more.set()

    @property
    def is_terminal(self) -> bool:
        """Whether somebody may look at it, and what would steer a terminal must be escaped."""
        with suppress(OSError):
            return os.isatty(_DESCRIPTOR)
        return False

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that whoever has more should wait, too."""
        return self._put - self._written > _BEHIND

    def flush(self) -> None:
        """Wait until all that was put so far is written, unless nothing is taken for a second."""
        end, written = self._put, self._written
        give_up_at = time.monotonic() + _STUCK_AFTER
        while self._written < end and time.monotonic() < give_up_at:
            time.sleep(_PAUSE)
            if self._written > written:
                give_up_at, written = time.monotonic() + _STUCK_AFTER, self._written

    def _work(self) -> None:
        while True:
            self._has_more.wait()
            self._has_more.clear()
            lines = []
            with suppress(IndexError):
                while True:
                    lines.append(self._lines.popleft())
            rest = memoryview(b"".join(lines))
            while rest:
                size = self._write(rest)
                rest = rest[size:]
                self._written += size
            time.sleep(_PAUSE)

    def _write(self, lines: memoryview) -> int:
        """Some of it; how much."""
        if above := self.above:
            above(bytes(lines))
            return len(lines)
        chunk = bytes(lines[:_AT_ONCE])
        if len(chunk) < len(lines):
            chunk = chunk[: chunk.rfind(b"\n") + 1] or chunk
        return write_some(_DESCRIPTOR, chunk)


def write_some(descriptor: int, data: bytes) -> int:
    """How much of it was written, at least a byte; all of it where nothing can be written any more."""
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # another process has it so
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
        except OSError:
            return len(data)

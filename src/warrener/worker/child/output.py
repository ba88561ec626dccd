"""What a child's tasks print: stdout and stderr are one pipe to the supervisor, in which it is said whose what follows is.

Where one task runs at a time, all that comes after its mark is its own, whoever writes it: Python, C, or a process that
it has started. Where several do, what Python writes finds its task by the context, and is marked line by line; what others
write is nobody's.
"""

from __future__ import annotations

import io
import os
import sys
from contextvars import ContextVar
from select import PIPE_BUF, POLLOUT, poll
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from warrener.worker.child.c_output import printed_by_line
from warrener.worker.marking import KEY_BYTES, MARK_BYTES, NOBODY, marked, new_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

_STDOUT, _STDERR = 1, 2
_MOST_HELD: Final = 4096  # characters of a line that does not end
# With its marks a piece fits into a pipe at once, so that nobody's output comes between.
_PIECE: Final = PIPE_BUF - 2 * (MARK_BYTES + KEY_BYTES)
_write = os.write  # as they are now: handlers may replace them
_get_inheritable = os.get_inheritable


class Output:
    """The streams of this process, from before the app is imported until the end of the children."""

    def __init__(self) -> None:
        self._pipe: int | None = None
        self._mark = b""
        self._is_shared = False
        self._key = NOBODY  # where one task runs at a time
        self._shared_key: ContextVar[int] = ContextVar("key", default=NOBODY)
        self._streams = _Stream(self, _STDOUT), _Stream(self, _STDERR)
        self._found = sys.stdout, sys.stderr
        self._flush_c: Callable[[], object] = lambda: None

    def install(self) -> None:
        """Be `sys.stdout` and `sys.stderr`, for all who take them from there."""
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc] # it is for us to set
        self._flush_c = printed_by_line()

    def connect(self, pipe: int, *, is_shared: bool) -> None:
        """In a child: print into a pipe from now on.

        Args:
            pipe: To the supervisor.
            is_shared: Whether several tasks run at a time.
        """
        self._pipe, self._mark, self._is_shared = pipe, new_mark(), is_shared
        os.set_inheritable(pipe, False)
        for descriptor in (_STDOUT, _STDERR):
            os.dup2(pipe, descriptor)
        _write_all(pipe, self._mark)

    def begin(self, key: int) -> None:
        """What is printed from now on, here, is this attempt's."""
        if self._is_shared:
            self._shared_key.set(key)
        else:
            self._key = key
            self._found = sys.stdout, sys.stderr
            if self._pipe is not None:
                self._reopen(self._pipe)
                _write_all(self._pipe, marked(self._mark, key))

    def end(self) -> None:
        """The attempt that began here has ended; lines that it has not ended are printed."""
        for stream in self._streams:
            if stream.held:
                stream.end(self.key)
        self._flush_c()
        if self._is_shared:
            self._shared_key.set(NOBODY)
        else:
            # A handler may have left others there, which would take what the next one prints.
            sys.stdout, sys.stderr = self._found

    def end_all(self) -> None:
        """Print what is held for whomever: this process forks or ends, and what it holds would be printed twice or never."""
        for stream in self._streams:
            stream.end_all()
        self._flush_c()

    @property
    def key(self) -> int:
        """Of the attempt that runs here."""
        return self._shared_key.get() if self._is_shared else self._key

    def write(self, descriptor: int, data: bytes) -> None:
        """Print for whoever runs here."""
        if self._pipe is None:
            _write_all(descriptor, data)
            return
        if not self._is_shared or not (key := self.key):
            try:
                _write_all(descriptor, data)
            except OSError:  # a handler has closed it, or put there what takes nothing
                self._reopen(self._pipe)
                _write_all(self._pipe, data)
            return
        before, after = marked(self._mark, key), marked(self._mark, NOBODY)
        for start in range(0, len(data), _PIECE):
            _write_all(self._pipe, before + data[start : start + _PIECE] + after)

    @staticmethod
    def _reopen(pipe: int) -> None:
        """Bring back what a handler has closed: who prints next would fail, or write into a file that was opened since."""
        for descriptor in (_STDOUT, _STDERR):
            try:
                _get_inheritable(descriptor)
            except OSError:
                os.dup2(pipe, descriptor)


class _Stream(io.TextIOWrapper):
    """Prints whole lines, each at once; those of several threads or tasks do not get mixed up.

    Text that cannot be encoded is escaped, so that printing never raises.
    """

    def __init__(self, output: Output, descriptor: int) -> None:
        name = "<stdout>" if descriptor == _STDOUT else "<stderr>"
        raw = _Descriptor(output, descriptor, name)
        super().__init__(raw, "utf-8", "backslashreplace", "\n", write_through=True)  # as `python -u` does
        self._output = output
        self.held: dict[tuple[int, int], str] = {}  # lines without an end, by attempt and thread

    def write(self, text: str, /) -> int:
        """Print what ends with a line's end, and hold the rest until that comes."""
        if not isinstance(text, str):
            return super().write(text)  # which says what is wrong
        place = self._output.key, get_ident()
        held = self.held.pop(place, "")
        if text.endswith("\n"):
            super().write(held + text)
            return len(text)
        end = text.rfind("\n") + 1
        if end:
            super().write(held + text[:end])
            held = ""
        held += text[end:]
        if len(held) > _MOST_HELD:
            super().write(held)
        elif held:
            self.held[place] = held
        return len(text)

    def flush(self) -> None:
        """Print what this thread holds."""
        if held := self.held.pop((self._output.key, get_ident()), ""):
            super().write(held)

    def end(self, key: int) -> None:
        """Print all that is held for an attempt."""
        for place in [*self.held]:  # at once, whatever other threads hold and print
            if place[0] == key and (held := self.held.pop(place, "")):
                super().write(held)

    def end_all(self) -> None:
        """Print all that is held, as lines."""
        for place in [*self.held]:
            if held := self.held.pop(place, ""):
                super().write(held + "\n")

    def close(self) -> None:
        """Stay open, for the tasks that follow."""
        self.flush()

    def detach(self) -> Any:  # typeshed has it as a buffer, which it is not
        """What is below, for another stream, and stay usable for those who took this one before."""
        self.flush()
        return self.buffer


class _Descriptor(io.RawIOBase):
    def __init__(self, output: Output, descriptor: int, name: str) -> None:
        self.name = name
        self.mode = "wb"
        self._output = output
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Buffer, /) -> int:
        printed = bytes(data)
        self._output.write(self._descriptor, printed)
        return len(printed)

    def close(self) -> None:
        """Stay open."""


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[_write(descriptor, data) :]
        except BlockingIOError:  # a process that shares it has it so
            waiting = poll()
            waiting.register(descriptor, POLLOUT)
            waiting.poll()
        except BrokenPipeError:
            return  # the supervisor is gone, and this process ends with it

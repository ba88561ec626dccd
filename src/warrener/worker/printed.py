"""What somebody prints, cut into lines for the log."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from warrener.models import MAX_OUTPUT
from warrener.worker.marking import CAPACITY

if TYPE_CHECKING:
    from warrener.worker.log_keeper import KeptLog
    from warrener.worker.pool.attempt import RunningAttempt
    from warrener.worker.printer import Printer

# A line that is longer is ended here.
_MAX_LINE: Final = 64 * 1024
_LOOK_AGAIN: Final = 0.05  # seconds until a reader who was behind is looked for


class Printed:
    """What one attempt has printed so far, or nobody's attempt.

    Args:
        attempt: None for nobody's.
        printer: Shows lines as soon as they are whole.
    """

    __slots__ = ("_label", "_line", "_log", "_printer", "_tail")

    def __init__(self, attempt: RunningAttempt | None, printer: Printer) -> None:
        self._label = attempt.task.id if attempt else ""
        self._printer = printer
        self._log: KeptLog | None = None
        if attempt and printer.keeper:
            self._log = attempt.log = printer.keeper.begin(attempt)
        self._line = b""  # one that has not ended
        self._tail = b""

    def add(self, data: bytes) -> None:
        """More of it has come."""
        self._tail = (self._tail + data)[-MAX_OUTPUT:]
        if self._log:
            self._log.add(data)
        end = data.rfind(b"\n")
        if end >= 0:
            self._printer.show(self._label, self._line + data[:end])
            self._line = data[end + 1 :]
        else:
            self._line += data
        if len(self._line) > _MAX_LINE:
            self.end()

    def end(self) -> bytes:
        """End a line that has none; the last 4 KiB of all."""
        if self._line:
            self._printer.show(self._label, self._line)
            self._line = b""
        return self._tail


class ServerOutput:
    """What the process prints that imports the app, shown from now on until it is closed.

    Args:
        pipe: Where to read.
        printer: Shows it.
    """

    def __init__(self, pipe: int, printer: Printer) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._is_open = True
        self._printer = printer
        self._printed = Printed(None, printer)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pipe, self._read)

    def close(self) -> None:
        """Show what is left, and no more; harmless when that is so."""
        while self._is_open and self._read():
            pass
        self._end()

    def _read(self) -> bool:
        try:
            data = os.read(self._pipe, CAPACITY)
        except BlockingIOError:
            return False
        if not data:
            self._end()
            return False
        self._printed.add(data)
        if self._printer.is_behind:
            self._loop.remove_reader(self._pipe)
            self._loop.call_later(_LOOK_AGAIN, self._go_on)
            return False
        return True

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._pipe, self._read)

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._printed.end()

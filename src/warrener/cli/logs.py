"""The worker's log."""

from __future__ import annotations

import logging
import os
import queue
import threading
from contextlib import suppress
from typing import Final

_STDERR: Final = 2
_FLUSH_FOR_SECONDS: Final = 1.0


class Log(logging.Handler):
    """Writes to stderr from a thread of its own.

    Tasks write there, too, and fill a pipe that nobody reads: whoever has the connection must not wait for room.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._write, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have a line written."""
        self._lines.put(f"{self.format(record)}\n".encode("utf-8", "replace"))

    def flush(self) -> None:
        """Wait until all is written, but for a second at most."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, _FLUSH_FOR_SECONDS)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):
                while line:
                    line = line[os.write(_STDERR, line) :]
            self._lines.task_done()

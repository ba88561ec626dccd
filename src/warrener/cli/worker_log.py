"""The worker's log."""

from __future__ import annotations

import logging

from warrener.stderr import stderr


class Log(logging.Handler):
    """Writes to stderr, in one line of succession with what tasks print there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Have a line written."""
        stderr().put(f"{self.format(record)}\n".encode("utf-8", "replace"))

    def flush(self) -> None:
        """Wait until all is written, unless nothing is taken for a second."""
        stderr().flush()

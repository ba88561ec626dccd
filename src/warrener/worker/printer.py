"""What tasks print, in the worker's log: whole lines, led by the task's id where several share it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warrener.codec import encode
from warrener.stderr import stderr
from warrener.text import for_terminal, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.worker.log_keeper import LogKeeper


class Printer:
    """Shows lines on stderr, whoever wrote what is in them.

    Args:
        keeper: Keeps it, too.
    """

    def __init__(self, keeper: LogKeeper | None = None) -> None:
        self.is_shared = False
        """Whether several tasks print at a time."""
        self.keeper = keeper
        self._stderr = stderr()
        self._is_terminal = self._stderr.is_terminal

    @property
    def is_behind(self) -> bool:
        """Whether nobody takes what was shown before, or the broker not what is to be kept."""
        return self._stderr.is_behind or (self.keeper is not None and self.keeper.is_behind)

    def show(self, label: str, lines: bytes) -> None:
        """Show lines, of which the last one has no end.

        Args:
            label: The task's id; empty where it is none's.
            lines: As they were printed. What would steer a terminal is escaped where there is one.
        """
        if self._stderr.as_json:
            self._stderr.put(b"".join(_as_json(label, line) for line in lines.split(b"\n")))
            return
        if self._is_terminal:
            lines = b"\n".join(map(for_terminal, lines.split(b"\n")))
        if self.is_shared and label:
            lead = f"{plain(label)} | ".encode("utf-8", "replace")
            lines = lead + lines.replace(b"\n", b"\n" + lead)
        self._stderr.put(lines + b"\n")


def json_line(at: float, level: str, message: str, members: Mapping[str, object]) -> bytes:
    """A line of the log as a JSON object, without its end.

    Args:
        at: When, in seconds since the epoch.
        level: How grave it is.
        message: For people.
        members: What else is known.
    """
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return encode({"time": when, "level": level, "message": message, **members})


def _as_json(label: str, line: bytes) -> bytes:
    return json_line(time.time(), "PRINT", line.decode("utf-8", "replace"), {"task_id": label}) + b"\n"

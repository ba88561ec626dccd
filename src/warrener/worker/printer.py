"""What tasks print, in the worker's log: whole lines, led by the task's id where several share it."""

from __future__ import annotations

from warrener.stderr import stderr
from warrener.text import plain


class Printer:
    """Shows lines on stderr, whoever wrote what is in them.

    Args:
        is_shared: Whether several tasks print at a time.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        self._stderr = stderr()
        self._is_terminal = self._stderr.is_terminal

    @property
    def is_behind(self) -> bool:
        """Whether nobody takes what was shown before."""
        return self._stderr.is_behind

    def show(self, label: str, lines: bytes) -> None:
        """Show lines, of which the last one has no end.

        Args:
            label: The task's id; empty where it is none's.
            lines: As they were printed. What would steer a terminal is escaped where there is one.
        """
        if self._is_terminal:
            lines = b"\n".join(map(_for_terminal, lines.split(b"\n")))
        if self.is_shared and label:
            lead = f"{plain(label)} | ".encode("utf-8", "replace")
            lines = lead + lines.replace(b"\n", b"\n" + lead)
        self._stderr.put(lines + b"\n")


def _for_terminal(line: bytes) -> bytes:
    """A line as a terminal may have it; of one that was written over itself, as bars of progress are, the last state."""
    last = line.rstrip(b"\r").rsplit(b"\r", 1)[-1]
    return plain(last.decode("utf-8", "replace")).encode()

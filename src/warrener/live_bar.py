"""A bar on a terminal that moves."""

from __future__ import annotations

import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import IO, Any, cast

from warrener.stderr import stderr, write_some


class LiveBar:
    """A line on stderr, from now until it is stopped: a title, a bar, and text. Use it where stderr is a terminal.

    Args:
        title: What is going on.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        # Where the terminal is narrow the end of the text is cut, and nothing else.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=Console(file=cast("IO[str]", _Terminal(sys.stderr))),
            expand=True,
            # What is printed meanwhile comes above the bar; but in a pipe or a file it stays there.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._bar.start()
        stderr().above = self._print
        self._task = self._bar.add_task(title, total=None, text="")

    def show(self, text: str, done: float, total: float | None) -> None:
        """Show how far things are."""
        self._bar.update(self._task, text=text, completed=done, total=total)

    def stop(self) -> None:
        """Let the line stand as it is."""
        stderr().flush()
        stderr().above = None
        self._bar.stop()

    def _print(self, lines: bytes) -> None:
        # As it is: what would steer the terminal is escaped, and what looks like markup was printed by somebody.
        self._bar.console.print(
            lines.decode("utf-8", "replace"),
            end="",
            markup=False,
            highlight=False,
            emoji=False,
            soft_wrap=True,
        )


class _Terminal:
    """A terminal that may go away: what it does not take any more is nobody's, and no error of who goes on.

    It is written to past the buffer of a stream of Python's, which is the program's: Python would try at its end to write
    what is left there, fail, and exit with 120.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.flush()

    def write(self, text: str) -> int:
        if isinstance(self._stream, TextIOWrapper):
            rest = text.encode(self._stream.encoding, self._stream.errors or "strict")
            while rest:
                rest = rest[write_some(self._stream.fileno(), rest) :]
        else:
            with suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

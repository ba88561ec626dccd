"""What the command line says of files of tasks and results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warrener.sources import Line, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TaskFile(msgspec.Struct, frozen=True):
    """A file of tasks.

    Args:
        path: Where it is; `-` for stdin.
        type: The type of tasks that bring none.
        start_line: Publish from this line on.
        skip_invalid: Leave out invalid lines, instead of stopping.
    """

    path: str
    type: str
    start_line: int
    skip_invalid: bool

    def read(self, on_invalid: Callable[[str], None], *, start_line: int = 1) -> Iterator[Line]:
        """The tasks; invalid lines that are left out are told."""
        return read(
            self.path,
            task_type=self.type,
            start_line=start_line,
            on_invalid=on_invalid if self.skip_invalid else None,
        )


class ResultFile(msgspec.Struct, frozen=True):
    """A file of results.

    Args:
        path: Where it is; `-` for stdout.
        form: Its format; by default as the path ends.
    """

    path: str
    form: str | None

"""What the command line says of files of tasks and results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warrener.sources import STDIN, Line, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TaskFile(msgspec.Struct, frozen=True):
    """A file of tasks.

    Args:
        path: Where it is; `-` for stdin.
        type: The type of tasks that bring none.
        skip_invalid: Leave out invalid lines, instead of stopping.
        start_line: Leave out what stands before this line.
    """

    path: str
    type: str
    skip_invalid: bool
    start_line: int = 1

    @property
    def is_stdin(self) -> bool:
        """Whether the tasks come from stdin."""
        return self.path == STDIN

    def read(self, on_invalid: Callable[[str], None], *, namespace: str = "") -> Iterator[Line]:
        """The tasks; invalid lines that are left out are told. Args: `namespace` as `warrener.sources.read` takes it."""
        left_out = on_invalid if self.skip_invalid else None
        lines = read(self.path, task_type=self.type, namespace=namespace, on_invalid=left_out)
        return (line for line in lines if line.number >= self.start_line)


class ResultFile(msgspec.Struct, frozen=True):
    """A file of results.

    Args:
        path: Where it is; `-` for stdout.
        form: Its format; by default as the path ends.
    """

    path: str
    form: str | None

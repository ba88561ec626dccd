"""The files of tasks, results and invalid lines that verbs are given, and the options that describe them."""

from __future__ import annotations

import functools
import os
import stat
from collections import deque
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from warrener.cli.ending import guarded
from warrener.cli.printing import counted, say
from warrener.errors import InvalidTask, UsageError
from warrener.sources import STDIN, InvalidLine, Line, TableOptions, read

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from warrener.writers import Format, ResultWriter

_TAB: Final = {"\\t", "tab"}


class TaskFile(msgspec.Struct):
    """A file of tasks, read once.

    Args:
        path: Where it is; `-` for stdin.
        type: The type of tasks that bring none.
        table: How a table is read.
        skip_invalid: Leave out invalid lines, instead of stopping.
        invalid: The file that gets what is left out; empty for none.
        start_line: Leave out what stands before this line.
        count: How many tasks were read.
        left_out: How many lines were left out.
    """

    path: str
    type: str
    table: TableOptions
    skip_invalid: bool
    invalid: str
    start_line: int = 1
    count: int = 0
    left_out: int = 0

    @property
    def is_stdin(self) -> bool:
        """Whether the tasks come from stdin."""
        return self.path == STDIN

    @property
    def is_all_invalid(self) -> bool:
        """Whether something was left out, and nothing remained."""
        return self.left_out > 0 and self.count == 0

    @property
    def left_out_text(self) -> str:
        """How many lines were left out, and where they are."""
        where = f"; they are in {self.invalid}" if self.invalid else ""
        return f"{counted(self.left_out, 'invalid line')} left out{where}"

    def read(self, *, namespace: str = "") -> Iterator[Line]:
        """The tasks; each line that is left out is told. Args: `namespace` as `warrener.sources.read` takes it."""
        with ExitStack() as stack:
            leave_out = self._leave_out(stack) if self.skip_invalid or self.invalid else None
            for line in read(
                self.path, task_type=self.type, namespace=namespace, table=self.table, on_invalid=leave_out
            ):
                self.count += 1
                if line.number >= self.start_line:
                    yield line
        if not self.count and not self.left_out:
            say(f"warrener: {'stdin' if self.is_stdin else self.path} has no tasks")

    def check_begin(self) -> None:
        """Read a file as far as its first task, before anything is done; what can be read only once is not.

        Raises:
            UsageError: It is not there, is a directory, cannot be read, or has no tasks.
        """
        if not self._is_stream:
            with (
                suppress(InvalidTask),
                closing(self._lines()) as lines,
            ):  # whoever reads it all says what is invalid
                self._check_first(next(lines, None))

    def check(self) -> None:
        """Read a file to its end, before anything is done with its tasks; what can be read only once is not.

        Raises:
            UsageError: It is not there, or has no tasks.
            InvalidTask: A line is no valid task, and is not to be left out.
        """
        if self._is_stream:
            return
        invalid: list[InvalidLine] = []
        leave_out = invalid.append if self.skip_invalid or self.invalid else None
        lines = self._lines(leave_out)
        self._check_first(next(lines, None) or next(iter(invalid), None))
        if leave_out is None:
            deque(lines, maxlen=0)

    def lines(self, _: object) -> Iterator[Line]:
        """The tasks, whatever is in the app."""
        return self.read()

    @property
    def _is_stream(self) -> bool:
        path = Path(self.path)
        return self.is_stdin or (path.exists() and not path.is_file() and not path.is_dir())

    def _lines(self, on_invalid: Callable[[InvalidLine], None] | None = None) -> Generator[Line]:
        return read(self.path, task_type=self.type, table=self.table, on_invalid=on_invalid)

    def _check_first(self, found: object) -> None:
        # An empty file may be one that somebody writes at this moment: the results that are there stay.
        if found is None:
            raise UsageError(f"{self.path} has no tasks: nothing was done")

    def _leave_out(self, stack: ExitStack) -> Callable[[InvalidLine], None]:
        from warrener.writers import opened

        writer = stack.enter_context(opened(self.invalid, "jsonl")) if self.invalid else None

        def leave_out(line: InvalidLine) -> None:
            say(f"warrener: left out: {line.sentence}")
            if writer:
                _write(writer, line if self.left_out == 0 else line._replace(header=""))
            self.left_out += 1

        return leave_out


class ResultFile(msgspec.Struct, frozen=True):
    """A file of results.

    Args:
        path: Where it is; `-` for stdout.
        form: Its format; by default as the path ends.
    """

    path: str
    form: str | None

    def checked(self, tasks: TaskFile | None = None) -> Format:
        """The format, before anything is done.

        Raises:
            UsageError: There is no such format, or the file is needed for something else.
        """
        from warrener.writers import checked_format

        if tasks:
            check_apart(self.path, tasks.path, "the results would take the place of the tasks")
            if tasks.invalid:
                check_apart(self.path, tasks.invalid, "the results would take the place of the invalid lines")
        return checked_format(self.path, self.form, of_results=True)


def takes_tasks(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb with an argument `tasks` the options that describe this file; it gets a `TaskFile` as `tasks`."""

    @click.option(
        "--type",
        "task_type",
        metavar="TYPE",
        default="",
        show_default=False,
        help="The type of tasks that bring none; a table needs it, or --type-column.",
    )
    @_column_option("--id", "the tasks' ids")
    @_column_option("--priority", "their priorities, from 0 to 9")
    @_column_option("--type-column", "their types")
    @click.option(
        "--delimiter",
        metavar="C",
        default="",
        show_default=False,
        help="What separates the columns, \\t for a tab; by default as the first line tells. Any file is a table then.",
    )
    @click.option(
        "--skip-invalid", is_flag=True, help="Leave out invalid lines and count them, instead of stopping."
    )
    @click.option(
        "--invalid",
        metavar="FILE",
        default="",
        show_default=False,
        help="Leave out invalid lines, and write them to this file.",
    )
    @functools.wraps(verb)
    def command(
        *,
        tasks: str,
        task_type: str,
        delimiter: str,
        id: str,
        priority: str,
        type_column: str,
        skip_invalid: bool,
        invalid: str,
        **given: Any,
    ) -> Any:
        from warrener.writers import checked_format

        with guarded():
            table = TableOptions(_checked_delimiter(delimiter), id, priority, type_column)
            if invalid:
                check_apart(invalid, tasks, "the invalid lines would take the place of all")
                checked_format(invalid, None)
        return verb(tasks=TaskFile(tasks, task_type, table, skip_invalid, invalid), **given)

    decorated: Callable[..., Any] = command
    return decorated


def check_apart(one: str, other: str, otherwise: str) -> None:
    """See that two paths do not lead to the same file; pipes and devices may be the same."""
    is_same = Path(one).resolve() == Path(other).resolve() and not Path(one).exists() and one != STDIN
    with suppress(OSError):
        stats = [os.fstat(0) if path == STDIN else Path(path).stat() for path in (other, one)]
        is_same = os.path.samestat(*stats) and stat.S_ISREG(stats[0].st_mode)
    if is_same:
        raise UsageError(f"{one} and {other} are the same file: {otherwise}; name another one")


def _column_option(name: str, what: str) -> Callable[..., Any]:
    return click.option(
        name, metavar="COLUMN", default="", show_default=False, help=f"The column of a table that has {what}."
    )


def _checked_delimiter(given: str) -> str:
    if given in _TAB:
        return "\t"
    if len(given) > 1 or given in {'"', "\r", "\n"}:
        raise UsageError(f"--delimiter takes one character that is no quote and no line break, not {given!r}")
    return given


def _write(writer: ResultWriter, line: InvalidLine) -> None:
    text = line.header + line.text
    writer.write([text.removesuffix("\n").removesuffix("\r").encode("utf-8", "surrogateescape")])

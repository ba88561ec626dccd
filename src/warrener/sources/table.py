"""Tables: the columns of a row are a task's data, but for those that are its id, priority or type."""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warrener.codec import check
from warrener.errors import InvalidTask, UsageError
from warrener.models import DEFAULT_PRIORITY, Task
from warrener.sources.corrected import PREFIX, TYPE, corrected_task
from warrener.sources.diagnosis import no_text
from warrener.sources.found import Found
from warrener.sources.header import Header, read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from warrener.codec import Identify

    _Make = Callable[[dict[str, str], str, Identify], Task]

# A quote that is never closed takes the rest of the file for one field; RabbitMQ takes no larger task anyway.
_MAX_FIELD: Final = 16 * 1024 * 1024
_MAX_DIGITS: Final = 9  # which is more than a priority has; Python takes no number of any length


class TableOptions(NamedTuple):
    """How a table is read.

    Args:
        delimiter: What separates cells; by default what the file's name or its header says.
        id_column: The column that has the tasks' ids.
        priority_column: The one that has their priorities; an empty cell is the default.
        type_column: The one that has their types; an empty cell is the type of tasks that bring none.
    """

    delimiter: str = ""
    id_column: str = ""
    priority_column: str = ""
    type_column: str = ""

    @property
    def has_columns(self) -> bool:
        """Whether a column is named, which only a table has."""
        return bool(self.id_column or self.priority_column or self.type_column)


def table_tasks(
    file: TextIO, task_type: str, identify: Identify, path: str, options: TableOptions
) -> Iterator[Found]:
    """Each row, with the number of its last line.

    Raises:
        UsageError: The first line names no columns, or not those that the options name, or nothing says of which type the
            tasks are.
    """
    csv.field_size_limit(_MAX_FIELD)
    lines = _Lines(file)
    header = read_header(lines, path, options.delimiter)
    _check_columns(header, options, path)
    if not task_type and not options.type_column and TYPE not in header.columns:
        raise UsageError(
            f"{path}: a table has data only; say the tasks' type with --type, or its column with --type-column"
        )
    is_corrected = any(name.startswith(PREFIX) for name in header.columns) and not options.has_columns
    make: _Make = corrected_task if is_corrected else partial(_plain_task, options)
    rows = csv.reader(lines, strict=True, delimiter=header.delimiter)
    while True:
        lines.taken.clear()
        try:
            row = next(rows, None)
        except csv.Error as error:
            reason = _no_csv(error, lines, header.delimiter)
            yield Found(lines.number, lines.text, partial(_invalid, reason), header=header.text)
            continue
        if row is None:
            return
        if row:
            yield Found(
                lines.number,
                lines.text,
                partial(_task, make, header.columns, row, task_type, identify),
                header=header.text,
            )


class _Lines:
    """The lines of a file, of which the last ones taken are still known."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self.number += 1
        self.taken.append(line)
        return line

    @property
    def text(self) -> str:
        """Those taken since they were cleared."""
        return "".join(self.taken)


def _check_columns(header: Header, options: TableOptions, path: str) -> None:
    named = [name for name in (options.id_column, options.priority_column, options.type_column) if name]
    for name in named:
        if name not in header.columns:
            there = ", ".join(map(repr, header.columns))
            raise UsageError(f"{path}, line 1: there is no column {name!r}; there are {there}")
        if named.count(name) > 1:
            raise UsageError(f"{path}: column {name!r} can be only one of id, priority and type")


def _no_csv(error: csv.Error, lines: _Lines, delimiter: str) -> str:
    if "unexpected end of data" in str(error):
        first = lines.number - len(lines.taken) + 1
        return f"a quote that opens on line {first} or later is never closed"
    if "expected after" in str(error):
        return (
            f'after a quote that closes stands no {delimiter!r}; a quote within quotes is written twice, ""'
        )
    return f"this is no CSV ({error})"


def _invalid(reason: str) -> Task:
    raise InvalidTask(reason)


def _task(make: _Make, columns: list[str], row: list[str], task_type: str, identify: Identify) -> Task:
    if len(row) != len(columns):
        raise InvalidTask(
            f"{len(row)} value{'' if len(row) == 1 else 's'} for {len(columns)} column{'' if len(columns) == 1 else 's'}"
        )
    # In a table of failures NUL is what the task said.
    if reason := no_text([cell.replace("\0", "") for cell in row] if make is corrected_task else row):
        raise InvalidTask(reason)
    return check(make(dict(zip(columns, row, strict=True)), task_type, identify))


def _plain_task(options: TableOptions, cells: dict[str, str], task_type: str, identify: Identify) -> Task:
    data: dict[str, Any] = {**cells}
    name = data.pop(options.id_column) if options.id_column else None
    priority = _priority(data.pop(options.priority_column)) if options.priority_column else DEFAULT_PRIORITY
    own_type = (data.pop(options.type_column) if options.type_column else "") or task_type
    if name == "":
        raise InvalidTask(f"column {options.id_column!r}, the id, is empty")
    return Task(identify(own_type, data) if name is None else name, own_type, data, priority)


def _priority(cell: str) -> int:
    if not cell:
        return DEFAULT_PRIORITY
    if not (cell.isascii() and cell.isdigit() and len(cell) <= _MAX_DIGITS):
        raise InvalidTask(f"the priority must be a whole number from 0 to 9, not {cell[:50]!r}")
    return int(cell)

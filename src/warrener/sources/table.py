"""CSV: the columns of a row are a task's data."""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warrener.codec import check
from warrener.errors import InvalidTask, UsageError
from warrener.models import DEFAULT_PRIORITY, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from warrener.codec import Identify

# A quote that is never closed takes the rest of the file for one field; RabbitMQ takes no larger task anyway.
_MAX_FIELD: Final = 16 * 1024 * 1024


def csv_tasks(
    file: TextIO, task_type: str, identify: Identify, path: str
) -> Iterator[tuple[int, Callable[[], Task]]]:
    """The number of the last line of each row, and what makes its task or raises `InvalidTask`.

    Raises:
        UsageError: The first line names no columns.
    """
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(file, strict=True)
    columns = _columns(rows, path)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield rows.line_num, partial(_no_csv, error)
            continue
        if row is None:
            return
        if row:
            yield rows.line_num, partial(_task, columns, row, task_type, identify)


def _columns(rows: Any, path: str) -> list[str]:
    try:
        columns: list[str] = next(rows, [])
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: this is no CSV ({error})") from error
    if len(set(columns)) != len(columns) or not all(columns):
        raise UsageError(f"{path}, line 1: every column needs a name of its own")
    if not _is_text(columns):
        raise UsageError(f"{path}, line 1: this is no UTF-8")
    return columns


def _no_csv(error: csv.Error) -> Task:
    raise InvalidTask(f"this is no CSV ({error})") from error


def _task(columns: list[str], row: list[str], task_type: str, identify: Identify) -> Task:
    if len(row) != len(columns):
        raise InvalidTask(f"{len(row)} values for {len(columns)} columns")
    if not _is_text(row):
        raise InvalidTask("this is no UTF-8")
    data: dict[str, Any] = dict(zip(columns, row, strict=True))
    return check(Task(identify(task_type, data), task_type, data, DEFAULT_PRIORITY))


def _is_text(values: list[str]) -> bool:
    """Whether all of their bytes were UTF-8."""
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True

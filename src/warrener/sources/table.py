"""CSV: the columns of a row are a task's data."""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warrener.codec import check
from warrener.errors import InvalidTask, UsageError
from warrener.models import DEFAULT_PRIORITY, Task
from warrener.sources.corrected import PREFIX, TYPE, corrected_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from warrener.codec import Identify

    _Make = Callable[[dict[str, str], str, Identify], Task]

# A quote that is never closed takes the rest of the file for one field; RabbitMQ takes no larger task anyway.
_MAX_FIELD: Final = 16 * 1024 * 1024


def csv_tasks(
    file: TextIO, task_type: str, identify: Identify, path: str
) -> Iterator[tuple[int, Callable[[], Task]]]:
    """The number of the last line of each row, and what makes its task or raises `InvalidTask`.

    Raises:
        UsageError: The first line names no columns, or nothing says of which type the tasks are.
    """
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(file, strict=True)
    columns = _columns(rows, path)
    if not task_type and TYPE not in columns:
        raise UsageError(f"{path}: a CSV file has data only; say the tasks' type with --type")
    make = corrected_task if any(column.startswith(PREFIX) for column in columns) else _plain_task
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield rows.line_num, partial(_no_csv, error)
            continue
        if row is None:
            return
        if row:
            yield rows.line_num, partial(_task, make, columns, row, task_type, identify)


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


def _task(make: _Make, columns: list[str], row: list[str], task_type: str, identify: Identify) -> Task:
    if len(row) != len(columns):
        raise InvalidTask(f"{len(row)} values for {len(columns)} columns")
    if not _is_text(row):
        raise InvalidTask("this is no UTF-8")
    return check(make(dict(zip(columns, row, strict=True)), task_type, identify))


def _plain_task(cells: dict[str, str], task_type: str, identify: Identify) -> Task:
    data: dict[str, Any] = {**cells}
    return Task(identify(task_type, data), task_type, data, DEFAULT_PRIORITY)


def _is_text(values: list[str]) -> bool:
    """Whether all of their bytes were UTF-8."""
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True

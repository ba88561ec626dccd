"""Files of tasks: JSONL and CSV, read line by line and never held whole."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.codec import check, decode_task
from warrener.errors import InvalidTask, UsageError
from warrener.id_set import IdSet
from warrener.models import DEFAULT_PRIORITY, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

STDIN: Final = "-"
# A quote that is never closed takes the rest of the file for one field; RabbitMQ takes no larger task anyway.
_MAX_FIELD: Final = 16 * 1024 * 1024


class Line(NamedTuple):
    """A task and the line it stands on, counted from 1."""

    number: int
    task: Task


def read(
    path: str,
    *,
    task_type: str = "",
    start_line: int = 1,
    on_invalid: Callable[[str], None] | None = None,
) -> Iterator[Line]:
    """The tasks of a file.

    Args:
        path: A file ending in `.csv`, whose columns are the data; any other file is JSONL; `-` is JSONL on stdin.
        task_type: The type of tasks that bring none; CSV needs it.
        start_line: Leave out what stands before this line.
        on_invalid: Told of each line that is no valid task, which is then left out; None stops at the first.

    Raises:
        UsageError: The file cannot be read.
        InvalidTask: A line is no valid task, or repeats an id; the text names file, line and reason.
    """
    is_csv = path.lower().endswith(".csv")
    if is_csv and not task_type:
        raise UsageError(f"{path}: a CSV file has data only; say the tasks' type with --type")
    stem = "stdin" if path == STDIN else Path(path).stem
    seen = IdSet()
    with _opened(path) as file:
        for number, parse in _csv(file, task_type, stem, path) if is_csv else _jsonl(file, task_type, stem):
            if number < start_line:
                continue
            try:
                task = _new(parse(), seen)
            except InvalidTask as error:
                sentence = f"{path}, line {number}: {error}"
                if on_invalid is None:
                    raise InvalidTask(sentence) from error
                on_invalid(sentence)
            else:
                yield Line(number, task)


def _new(task: Task, seen: IdSet) -> Task:
    if not seen.add(task.id):
        raise InvalidTask(f"id {task.id!r} was on an earlier line; ids must differ")
    return task


def _jsonl(file: TextIO, task_type: str, stem: str) -> Iterator[tuple[int, Callable[[], Task]]]:
    for number, line in enumerate(file, 1):
        if not line.isspace():
            yield (
                number,
                lambda line=line, number=number: decode_task(  # type: ignore[misc]
                    line.encode("utf-8", "surrogateescape"),
                    default_id=f"{stem}-{number}",
                    default_type=task_type,
                ),
            )


def _csv(file: TextIO, task_type: str, stem: str, path: str) -> Iterator[tuple[int, Callable[[], Task]]]:
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(file, strict=True)
    try:
        columns = next(rows, [])
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: this is no CSV ({error})") from error
    if len(set(columns)) != len(columns) or not all(columns):
        raise UsageError(f"{path}, line 1: every column needs a name of its own")
    if not _is_text(columns):
        raise UsageError(f"{path}, line 1: this is no UTF-8")
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield rows.line_num, partial(_no_csv, error)
            continue
        if row is None:
            return
        if row:
            number = rows.line_num
            yield number, partial(_csv_task, columns, row, task_type, f"{stem}-{number}")


def _no_csv(error: csv.Error) -> Task:
    raise InvalidTask(f"this is no CSV ({error})") from error


def _csv_task(columns: list[str], row: list[str], task_type: str, task_id: str) -> Task:
    if len(row) != len(columns):
        raise InvalidTask(f"{len(row)} values for {len(columns)} columns")
    if not _is_text(row):
        raise InvalidTask("this is no UTF-8")
    return check(Task(task_id, task_type, dict(zip(columns, row, strict=True)), DEFAULT_PRIORITY))


def _is_text(values: list[str]) -> bool:
    """Whether all of their bytes were UTF-8."""
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    # Bytes that are no UTF-8 are kept, so that their own line is to blame and not the whole file.
    if path == STDIN:
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")  # type: ignore[union-attr]
        yield sys.stdin
        return
    is_csv = path.lower().endswith(".csv")
    try:
        with Path(path).open(
            encoding="utf-8-sig", errors="surrogateescape", newline="" if is_csv else None
        ) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error

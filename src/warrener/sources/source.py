"""Tasks from a file, whichever its format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from warrener.errors import InvalidTask, UsageError
from warrener.sources.ids import ContentIds, UniqueIds
from warrener.sources.jsonl import jsonl_tasks
from warrener.sources.opening import STDIN, opened
from warrener.sources.plan import delimiter_of, is_table
from warrener.sources.table import TableOptions, table_tasks
from warrener.wording import wording_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from warrener.codec import Identify
    from warrener.models import Task
    from warrener.sources.found import Found


class Line(NamedTuple):
    """A task and the line it stands on, counted from 1; in an array, the how manieth it is."""

    number: int
    task: Task


class InvalidLine(NamedTuple):
    """What is no valid task.

    Args:
        sentence: File, line and reason.
        text: How it stands in the file, a row perhaps on several lines.
        header: What must stand before it for it to be read again, once it is mended; empty for JSONL.
    """

    sentence: str
    text: str
    header: str


def read(
    path: str,
    *,
    task_type: str = "",
    namespace: str = "",
    table: TableOptions | None = None,
    on_invalid: Callable[[InvalidLine], None] | None = None,
) -> Generator[Line]:
    """The tasks of a file. Each knows where it stands, and has a digest of its wording.

    A task that brings no id gets one that is made from its content, so that the same file gives the same ids again; from
    stdin it gets one that is its own.

    Args:
        path: A table, if it ends in `.csv` or `.tsv` (and then `.gz`), whose columns are the data, but for those of
            a table of failures (`warrener.sources.corrected`); any other file is JSONL, or a JSON array; `-` is stdin. What is packed with gzip is unpacked.
        task_type: The type of tasks that bring none.
        namespace: See `ContentIds`.
        table: How a table is read; with a delimiter any file is one.
        on_invalid: Told of each line that is no valid task, which is then left out; None stops at the first.

    Raises:
        UsageError: The file cannot be read.
        InvalidTask: A line is no valid task, or repeats an id; the text names file, line and reason.
    """
    name = "stdin" if path == STDIN else Path(path).name
    ids = UniqueIds() if path == STDIN else ContentIds(namespace)
    for found in _found(path, task_type, ids, table or TableOptions()):
        try:
            task = _new(found.parse(), ids)
        except InvalidTask as error:
            sentence = f"{path}, {found.unit} {found.number}: {error}"
            if on_invalid is None:
                raise InvalidTask(sentence) from error
            on_invalid(InvalidLine(sentence, found.text, found.header))
        else:
            wording = wording_of(task.type, task.data)
            yield Line(found.number, replace(task, origin=f"{name}:{found.number}", wording=wording))


def _found(path: str, task_type: str, identify: Identify, table: TableOptions) -> Iterator[Found]:
    if not (is_table(path) or table.delimiter):
        if table.has_columns:
            raise UsageError(
                f"{path}: only a table has columns, a file that ends in .csv or .tsv, or one with --delimiter"
            )
        with opened(path) as file:
            yield from jsonl_tasks(file, task_type, identify, path)
        return
    options = table._replace(delimiter=table.delimiter or delimiter_of(path))
    with opened(path, newline="") as file:
        yield from table_tasks(file, task_type, identify, path, options)


def _new(task: Task, ids: UniqueIds) -> Task:
    if not ids.claim(task.id):
        raise InvalidTask(f"id {task.id!r} was on an earlier line; ids must differ")
    return task

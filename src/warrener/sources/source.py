"""Tasks from a file, whichever its format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from warrener.errors import InvalidTask
from warrener.id_set import IdSet
from warrener.sources.ids import ContentIds, unique_id
from warrener.sources.jsonl import jsonl_tasks
from warrener.sources.opening import STDIN, opened
from warrener.sources.table import csv_tasks
from warrener.wording import wording_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.models import Task


class Line(NamedTuple):
    """A task and the line it stands on, counted from 1."""

    number: int
    task: Task


def read(
    path: str, *, task_type: str = "", namespace: str = "", on_invalid: Callable[[str], None] | None = None
) -> Iterator[Line]:
    """The tasks of a file. Each knows where it stands, and has a digest of its wording.

    A task that brings no id gets one that is made from its content, so that the same file gives the same ids again; from
    stdin it gets one that is its own.

    Args:
        path: A file ending in `.csv`, whose columns are the data, but for those of a table of failures
            (`warrener.sources.corrected`); any other file is JSONL; `-` is JSONL on stdin.
        task_type: The type of tasks that bring none; CSV needs it, but for a table of failures.
        namespace: See `ContentIds`.
        on_invalid: Told of each line that is no valid task, which is then left out; None stops at the first.

    Raises:
        UsageError: The file cannot be read.
        InvalidTask: A line is no valid task, or repeats an id; the text names file, line and reason.
    """
    is_csv = path.lower().endswith(".csv")
    name = "stdin" if path == STDIN else Path(path).name
    identify = unique_id if path == STDIN else ContentIds(namespace)
    seen = IdSet()
    with opened(path, is_csv=is_csv) as file:
        found = (
            csv_tasks(file, task_type, identify, path) if is_csv else jsonl_tasks(file, task_type, identify)
        )
        for number, parse in found:
            try:
                task = _new(parse(), seen)
            except InvalidTask as error:
                sentence = f"{path}, line {number}: {error}"
                if on_invalid is None:
                    raise InvalidTask(sentence) from error
                on_invalid(sentence)
            else:
                wording = wording_of(task.type, task.data)
                yield Line(number, replace(task, origin=f"{name}:{number}", wording=wording))


def _new(task: Task, seen: IdSet) -> Task:
    if not seen.add(task.id):
        raise InvalidTask(f"id {task.id!r} was on an earlier line; ids must differ")
    return task

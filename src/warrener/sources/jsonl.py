"""JSONL: a task on each line. Where an array begins instead, its elements are the tasks."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from warrener.codec import decode_task
from warrener.errors import InvalidTask
from warrener.sources.array import MAX_ARRAY, array_tasks
from warrener.sources.diagnosis import reason_of
from warrener.sources.found import Found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from warrener.codec import Identify
    from warrener.models import Task

_MARK = "\ufeff"


def jsonl_tasks(file: TextIO, task_type: str, identify: Identify, path: str) -> Iterator[Found]:
    """Each line that is not blank.

    Raises:
        UsageError: An array is too long, or is no JSON.
    """
    first = file.readline(MAX_ARRAY)  # a long array may have no line breaks at all
    skipped = 0
    while first.isspace():
        first, skipped = file.readline(MAX_ARRAY), skipped + 1
    if first.lstrip().startswith("["):
        yield from array_tasks(first, file, partial(_task, task_type=task_type, identify=identify), path)
        return
    for number, line in enumerate(chain([first] if first else [], file), skipped + 1):
        if not line.isspace():
            yield Found(number, line, partial(_task, line, task_type=task_type, identify=identify))


def _task(line: str, *, task_type: str, identify: Identify) -> Task:
    body = line.encode("utf-8", "surrogateescape")
    try:
        return decode_task(body, default_type=task_type, identify=identify)
    except InvalidTask as error:
        if line.startswith(_MARK):  # as in the middle of two files that were made one
            return _task(line.removeprefix(_MARK), task_type=task_type, identify=identify)
        reason = reason_of(line, error)
        if reason is None:
            raise
        raise InvalidTask(reason) from error

"""Tasks that a program gives: an iterable of them instead of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from warrener.codec import check, encode_task
from warrener.errors import InvalidTask
from warrener.models import DEFAULT_PRIORITY, MAX_NAME_BYTES, Task
from warrener.sources.ids import ContentIds
from warrener.sources.source import Line
from warrener.text import cut
from warrener.wording import wording_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NO_ID: Final = "-"  # for as long as the rest is checked


def given_tasks(tasks: Iterable[Task | Mapping[str, Any]], name: str) -> Iterator[Line]:
    """Tasks as those of a file: those without an id get one from their content, each has an origin and a digest of its wording.

    Args:
        tasks: Each a `Task`, or a mapping as a line of JSONL has it.
        name: Where they come from, for people; a task that brings an origin keeps it.

    Raises:
        InvalidTask: One is no valid task, or repeats an id; the text names which and why.
    """
    ids = ContentIds()
    for number, given in enumerate(tasks, 1):
        try:
            task = _task(given)
            task = task if task.id else replace(task, id=ids(task.type, task.data))
            if not ids.claim(task.id):
                raise InvalidTask(f"id {task.id!r} was given before; ids must differ")  # noqa: TRY301 - said below with its number
        except InvalidTask as error:
            raise InvalidTask(f"task {number} of {name}: {error}") from error
        origin = cut(task.origin or f"task {number} of {name}", MAX_NAME_BYTES)
        yield Line(number, replace(task, origin=origin, wording=wording_of(task.type, task.data)))


def _task(given: Any) -> Task:
    """A task with plain data, as it will arrive; its id is empty where it brings none."""
    if isinstance(given, dict):
        if unknown := given.keys() - {"id", "type", "data", "priority"}:
            names = ", ".join(sorted(map(repr, unknown)))
            raise InvalidTask(f"unknown member {names}; arguments of the handler belong into 'data'")
        if "type" not in given:
            raise InvalidTask('"type" is missing')
        priority = given.get("priority", DEFAULT_PRIORITY)
        task = Task(given.get("id", _NO_ID), given["type"], given.get("data", {}), priority)
        has_id = "id" in given
    elif isinstance(given, Task):
        task = replace(given, id=given.id or _NO_ID)
        has_id = bool(given.id)
    else:
        raise InvalidTask(
            f"a task is a warrener.Task or a dict with 'type' and 'data', not {type(given).__name__}"
        )
    data = msgspec.json.decode(encode_task(check(task)))["data"]
    return replace(task, id=task.id if has_id else "", data=data)

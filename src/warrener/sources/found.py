"""What stands in a file of tasks, before it is known whether it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.models import Task


class Found(NamedTuple):
    """What may be a task.

    Args:
        number: Where it stands, counted from 1.
        text: How it stands there.
        parse: Makes the task, or raises `InvalidTask`.
        unit: What is counted: lines, or the tasks of an array.
        header: What must stand before `text` for it to be read again.
    """

    number: int
    text: str
    parse: Callable[[], Task]
    unit: str = "line"
    header: str = ""

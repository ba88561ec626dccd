"""JSONL: a task on each line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warrener.codec import decode_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from warrener.codec import Identify
    from warrener.models import Task


def jsonl_tasks(file: TextIO, task_type: str, identify: Identify) -> Iterator[tuple[int, Callable[[], Task]]]:
    """The number of each line that is not blank, and what makes its task or raises `InvalidTask`."""
    for number, line in enumerate(file, 1):
        if not line.isspace():
            body = line.encode("utf-8", "surrogateescape")
            yield number, partial(decode_task, body, default_type=task_type, identify=identify)

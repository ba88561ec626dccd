"""The ids of tasks that bring none."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from warrener.id_set import IdSet
from warrener.wording import content_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class ContentIds:
    """Ids made from what tasks say, for a file that is given again.

    An edited line is a new task, one that is inserted changes no other, and where two say the same the second one is told
    from the first by a number.

    Args:
        namespace: What tells these tasks from those of other files that say the same; empty where the queue is their own.
    """

    def __init__(self, namespace: str = "") -> None:
        self._namespace = namespace
        self._seen = IdSet()
        self._repeats: dict[str, int] = {}

    def __call__(self, task_type: str, data: Mapping[str, Any]) -> str:
        """The next task's id."""
        name = content_id(f"{self._namespace}\0{task_type}" if self._namespace else task_type, data)
        if self._seen.add(name):
            return name
        self._repeats[name] = self._repeats.get(name, 1) + 1
        return f"{name}-{self._repeats[name]}"


def unique_id(*_: object) -> str:
    """An id that no other task ever has, whatever it says: a UUID of version 7 (RFC 9562), which sorts by its time."""
    milliseconds = int(time.time() * 1000) & (1 << 48) - 1
    chance = int.from_bytes(os.urandom(10))
    version, variant = 0x7 << 76, 0b10 << 62
    return str(
        UUID(int=milliseconds << 80 | version | (chance >> 68) << 64 | variant | chance & (1 << 62) - 1)
    )

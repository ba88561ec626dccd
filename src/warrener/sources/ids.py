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


class UniqueIds:
    """The ids of one source's tasks: those that they bring, and for the others ids that no other task ever has."""

    def __init__(self) -> None:
        self._seen = IdSet()
        self._made: str | None = None  # last, and for no task yet

    def __call__(self, task_type: str, data: Mapping[str, Any]) -> str:
        """Make the next task's id."""
        self._made = self._make(task_type, data)
        return self._made

    def claim(self, task_id: str) -> bool:
        """Take an id for the next task; false where an earlier one has it."""
        made, self._made = self._made, None
        return task_id == made or self._seen.add(task_id)

    def _make(self, _: str, __: Mapping[str, Any]) -> str:
        return unique_id()


class ContentIds(UniqueIds):
    """Ids made from what tasks say, for a file that is given again.

    An edited line is a new task, one that is inserted changes no other, and where two say the same the second one is told
    from the first by a number.

    Args:
        namespace: What tells these tasks from those of other files that say the same; empty where the queue is their own.
    """

    def __init__(self, namespace: str = "") -> None:
        super().__init__()
        self._namespace = namespace
        self._repeats: dict[str, int] = {}

    def _make(self, task_type: str, data: Mapping[str, Any]) -> str:
        name = content_id(f"{self._namespace}\0{task_type}" if self._namespace else task_type, data)
        if self._seen.add(name):
            return name
        while True:
            self._repeats[name] = self._repeats.get(name, 1) + 1
            numbered = f"{name}-{self._repeats[name]}"
            if self._seen.add(numbered):
                return numbered


def unique_id() -> str:
    """An id that no other task ever has, whatever it says: a UUID of version 7 (RFC 9562), which sorts by its time."""
    milliseconds = int(time.time() * 1000) & (1 << 48) - 1
    chance = int.from_bytes(os.urandom(10))
    version, variant = 0x7 << 76, 0b10 << 62
    return str(
        UUID(int=milliseconds << 80 | version | (chance >> 68) << 64 | variant | chance & (1 << 62) - 1)
    )

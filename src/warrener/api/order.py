"""Rows in the order in which their tasks were given."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from warrener.api.scratch import Scratch
from warrener.published import mark_of_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.api.rows import Result
    from warrener.api.work import Work

_MARK_BYTES: Final = 16
_AT_A_TIME: Final = 1000


class Order:
    """The marks of the tasks that were read so far, in the order in which they were given: one thread adds, others look."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._newest: list[bytes] = []
        self._lock = threading.Lock()

    def add(self, mark: bytes) -> None:
        """The next task's."""
        with self._lock:
            self._newest.append(mark)
            if len(self._newest) == _AT_A_TIME:
                self._scratch.append(b"".join(self._newest))
                self._newest.clear()

    def at(self, number: int) -> bytes | None:
        """That of a task, counted from 0; None where there is none so far."""
        with self._lock:
            written = self._scratch.size // _MARK_BYTES
            if number < written:
                return self._scratch.read(number * _MARK_BYTES, _MARK_BYTES)
            return self._newest[number - written] if number - written < len(self._newest) else None


class InOrder:
    """Goes through the tasks in their order, and through the rows as they come; what comes too soon is found again later.

    Args:
        work: Whose.
    """

    def __init__(self, work: Work) -> None:
        self.position = 0
        """Where the rows that were not looked at yet begin."""
        self.is_done = False
        """Whether no row is left."""
        self._work = work
        self._next = 0
        self._places: dict[bytes, int] = {}  # where each row begins that came too soon, by its mark

    def next_rows(self) -> Iterator[Result]:
        """Those whose turn it is, as far as they have come."""
        rows = self._work.rows
        has_ended = rows.has_ended  # before the reading: what came until then is read
        found = rows.read(self.position)
        for following, row in found:
            self._places[mark_of_task(row.task_id, row.wording)] = self.position
            self.position = following
        is_over = has_ended and not found
        order = self._work.order
        while mark := order.at(self._next):
            place = self._places.pop(mark, None)
            if place is None and not is_over:
                return
            self._next += 1
            if place is not None:
                yield rows.read(place)[0][1]
        self.is_done = is_over

"""What the rows of results tell: when tasks completed, how long they took, by type and worker, and which took longest."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from warrener.codec import NOT_JSON
from warrener.history.durations import Durations
from warrener.history.places import Places
from warrener.history.slowest import Slowest
from warrener.history.timeline import Timeline
from warrener.models import Seconds  # noqa: TC001 - msgspec reads the annotations when it runs
from warrener.published import mark_of_task
from warrener.rows import Summary, readable_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.rows import Row

MOST_TYPES: Final = 1000
MOST_WORKERS: Final = 10_000
OTHERS: Final = ""
"""The type, or the worker, of what came when there were too many of them; and of what names none."""

_Attempts = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]


class _Row(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A row as workers write it, each member looked into, so that what is no JSON anywhere in it is found."""

    task_id: str
    type: str
    status: Any
    value: Any
    attempts: _Attempts
    worker: str
    started_at: Seconds
    processed_at: Seconds
    duration: Seconds
    history: Any = None
    origin: Any = None
    wording: str = ""
    trace_id: Any = None


class _Odd(msgspec.Struct):
    """What is taken from a row that somebody else has written, where it has all of this."""

    task_id: str
    attempts: _Attempts
    started_at: Seconds
    processed_at: Seconds
    duration: Seconds
    type: str = ""
    worker: str = ""
    wording: str = ""


class OfType(msgspec.Struct):
    """The completed tasks of one type."""

    durations: Durations
    completed: int = 0
    retries: int = 0


class OfWorker(msgspec.Struct):
    """What one worker has completed, and how long that took it in all."""

    completed: int = 0
    seconds: float = 0.0


_rows = msgspec.json.Decoder(_Row)
_odd = msgspec.json.Decoder(_Odd)


class Completed:
    """A fold of rows of results: one row a task, the first; what is no row, or of an earlier wording, is left out.

    Args:
        expected: How many rows there will be, as far as that is known.
        stale: Rows to leave out, as `warrener.latest.superseded` tells them.
    """

    def __init__(self, expected: int = 0, stale: frozenset[bytes] = frozenset()) -> None:
        self.places = Places(expected)
        self.read = 0
        """How many rows were read, whatever they were."""
        self.left_out = Summary()
        """How many of them were left out, and why."""
        self.begin = float("inf")
        """When the first attempt began that completed, in seconds since the epoch."""
        self.end = 0.0
        """When the last one ended."""
        self.timeline = Timeline()
        self.types: dict[str, OfType] = {}
        self.workers: dict[str, OfWorker] = {}
        self.slowest = Slowest()
        self._stale = stale

    @property
    def count(self) -> int:
        """How many tasks have completed, as far as was read."""
        return len(self.places)

    def add(self, batch: Sequence[bytes]) -> None:
        """Take in the rows that come next."""
        first = self.read
        self.read += len(batch)
        try:
            rows: Sequence[_Row | _Odd] = [*map(_rows.decode, batch)]
        except NOT_JSON:
            for number, line in enumerate(batch, first):
                self._add_one(line, number)
            return
        if self._stale:
            for number, row in enumerate(rows, first):
                self._add_current(row, number)
            return
        fresh = self.places.add_all([(row.task_id, row.wording) for row in rows], first)
        self.left_out.duplicates += len(rows) - len(fresh)
        self._count([rows[number - first] for number in fresh], fresh)

    def _add_one(self, line: bytes, number: int) -> None:
        try:
            row: _Row | _Odd = _rows.decode(line)
        except NOT_JSON:
            pass
        else:
            self._add_current(row, number)
            return
        for known in readable_rows([line], self.left_out):  # as whoever collects results takes it
            try:
                self._add_current(_odd.decode(line), number)
            except NOT_JSON:
                self._add_untimed(known, number)

    def _add_current(self, row: _Row | _Odd, number: int) -> None:
        if self._is_first(row, number):
            self._count([row], [number])

    def _add_untimed(self, row: Row, number: int) -> None:
        if self._is_first(row, number):
            of_type = self._of_type(OTHERS)
            of_type.completed += 1
            of_type.retries += row.attempts - 1

    def _is_first(self, row: _Row | _Odd | Row, number: int) -> bool:
        if self._stale and mark_of_task(row.task_id, row.wording) in self._stale:
            self.left_out.superseded += 1
            return False
        is_first = bool(self.places.add_all([(row.task_id, row.wording)], number))
        self.left_out.duplicates += not is_first
        return is_first

    def _count(self, rows: Sequence[_Row | _Odd], numbers: Sequence[int]) -> None:
        """Count rows that are to be counted, each with how many rows were before it."""
        if not rows:
            return
        self.begin = min(self.begin, *[row.started_at for row in rows])
        self.end = max(self.end, *[row.processed_at for row in rows])
        self.timeline.add_all([row.processed_at for row in rows])
        by_type: defaultdict[str, list[float]] = defaultdict(list)
        by_worker: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            by_type[row.type].append(row.duration)
            by_worker[row.worker].append(row.duration)
            if row.attempts > 1:
                self._of_type(row.type).retries += row.attempts - 1
        for name, durations in by_type.items():
            of_type = self._of_type(name)
            of_type.completed += len(durations)
            of_type.durations.add_all(durations)
        for name, durations in by_worker.items():
            of_worker = self._of_worker(name)
            of_worker.completed += len(durations)
            of_worker.seconds += sum(durations)
        self.slowest.add_all(rows, numbers)

    def _of_type(self, name: str) -> OfType:
        if name not in self.types and len(self.types) >= MOST_TYPES:
            name = OTHERS
        return self.types.setdefault(name, OfType(Durations()))

    def _of_worker(self, name: str) -> OfWorker:
        if name not in self.workers and len(self.workers) >= MOST_WORKERS:
            name = OTHERS
        return self.workers.setdefault(name, OfWorker())

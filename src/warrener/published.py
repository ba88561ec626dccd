"""Which tasks were published on a queue: their marks, as the broker confirmed them, in a log of their own.

Whoever goes on publishes none of them again, in whatever order the file is by now.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers import Log
from warrener.codec import NOT_JSON, encode
from warrener.marks import mark_of, marks_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from warrener.brokers import Broker
    from warrener.marks import Marks

_MARKS_IN_A_RECORD: Final = 4000

# What is known of a task, as the flags of its mark.
OF_SOURCE: Final = 1
"""It is one of the source's, as far as that was read."""
HAS_ROW: Final = 2
PUBLISHED: Final = 4
"""It was published, and not dropped since."""


class Published(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="published"):
    """These tasks are confirmed.

    Args:
        run: Whose.
        marks: Theirs, one after the other (`mark_of_task`).
    """

    run: str
    marks: bytes


class Dropped(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="dropped"):
    """These tasks are on the queue no more, and have no row: they may be published again.

    Args:
        marks: Theirs, one after the other; empty where the queue was purged.
    """

    marks: bytes = b""


Marked = Published | Dropped
_marks: msgspec.json.Decoder[Marked] = msgspec.json.Decoder(Marked)


def mark_of_task(task_id: str, wording: str) -> bytes:
    """What stands for one wording of one task, in 16 bytes."""
    return mark_of(f"{task_id}\0{wording}")


async def read_published(broker: Broker, marks: Marks) -> None:
    """Let those be `PUBLISHED` that the journal says were. Raises: as `warrener.journal.read_journal`."""
    marks.take(PUBLISHED)
    async for records in broker.noted(Log.PUBLISHED):
        for body in records:
            with suppress(*NOT_JSON):  # what is no record of ours
                _take_in(_marks.decode(body), marks)


async def published_in_order(broker: Broker) -> AsyncGenerator[tuple[int, bytes]]:
    """The marks of all that was ever published, as often as it was, each with its place. Raises: as `warrener.journal.read_journal`."""
    place = 0
    async for records in broker.noted(Log.PUBLISHED):
        for body in records:
            with suppress(*NOT_JSON):
                record = _marks.decode(body)
                for mark in marks_in(record.marks) if isinstance(record, Published) else ():
                    yield place, mark
                    place += 1


async def note_published(broker: Broker, run: str, marks: Sequence[bytes]) -> None:
    """Write down that tasks are confirmed. Raises: as `warrener.journal.note`."""
    await broker.note(Log.PUBLISHED, [encode(Published(run, part)) for part in _joined(marks)])


async def note_dropped(broker: Broker, marks: Sequence[bytes]) -> None:
    """Write down that tasks are on the queue no more, so that they may be published again. Raises: as `warrener.journal.note`."""
    await broker.note(Log.PUBLISHED, [encode(Dropped(part)) for part in _joined(marks)])


class Unnoted:
    """Tasks in the order in which they are published, until it is written down that they are confirmed.

    Args:
        run: Whose.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._noted = 0
        self._tasks: deque[tuple[int, bytes]] = deque()

    def add(self, line: int, mark: bytes) -> None:
        """The next one, by its line and its mark."""
        self._tasks.append((line, mark))

    async def note(self, broker: Broker, confirmed: int) -> None:
        """Write down those that are confirmed, as many as these since the first. Raises: as `warrener.journal.note`."""
        if count := confirmed - self._noted:
            await note_published(broker, self._run, [mark for _, mark in islice(self._tasks, count)])
            for _ in range(count):
                self._tasks.popleft()
            self._noted = confirmed

    def line_after(self, confirmed: int) -> int | None:
        """The line of the first one that is not confirmed; None where all are."""
        following = confirmed - self._noted
        return self._tasks[following][0] if following < len(self._tasks) else None


def _take_in(record: Marked, marks: Marks) -> None:
    if isinstance(record, Published):
        for mark in marks_in(record.marks):
            marks.add(mark, PUBLISHED)
    elif record.marks:
        for mark in marks_in(record.marks):
            marks.take(PUBLISHED, mark)
    else:
        marks.take(PUBLISHED)


def _joined(marks: Sequence[bytes]) -> Iterator[bytes]:
    for start in range(0, len(marks), _MARKS_IN_A_RECORD):
        yield b"".join(marks[start : start + _MARKS_IN_A_RECORD])

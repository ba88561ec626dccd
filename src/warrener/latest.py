"""Which rows and failures on a queue are of an earlier wording of their task: one that keeps its id may be worded anew."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.codec import decode_failure
from warrener.errors import AccessRefused
from warrener.journal import read_journal
from warrener.marks import Marks, mark_of
from warrener.published import OF_SOURCE, mark_of_task, note_published, published_in_order
from warrener.rows import Summary, readable_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.brokers import Broker

_SEEN: Final = 1
_RESTATED: Final = 16
"""A flag of a task's mark beside those of who publishes it."""
_RESTATED_AT_ONCE: Final = 100_000


async def superseded(broker: Broker) -> frozenset[bytes]:
    """The marks of rows and failures whose task has one of a later wording: that which was published last, by the journal.

    Where several runs published to a queue this reads its rows once; only where a task was worded anew it reads once more,
    and the journal's list of what was published. Who may not read that takes the wording of the later row for the later one.

    Raises:
        BrokerError: The queue cannot be read.
    """
    with suppress(AccessRefused):
        if (await read_journal(broker)).runs < 2:  # noqa: PLR2004 - one file says each id once
            return frozenset()
    ids = await _of_several_wordings(broker)
    if not ids:
        return frozenset()
    marks: dict[str, dict[bytes, int]] = {task_id: {} for task_id in ids}  # the later, the higher
    async for task_id, wording in _ends(broker):
        if task_id in marks:
            marks[task_id][mark_of_task(task_id, wording)] = len(marks[task_id])
    places = {mark: -1 for of_task in marks.values() for mark in of_task}
    with suppress(AccessRefused):
        async for place, mark in published_in_order(broker):
            if mark in places:
                places[mark] = place
    stale: set[bytes] = set()
    for of_task in marks.values():
        newest = max(of_task, key=lambda mark: (places[mark], of_task[mark]))
        stale.update(of_task.keys() - {newest})
    return frozenset(stale)


async def restate(broker: Broker, run: str, own: Marks) -> None:
    """Say that a source says its tasks now, of those that were published before, and others since: theirs is the later wording.

    Args:
        broker: Where they are.
        run: Who says it.
        own: Marks of the source's tasks, as `OF_SOURCE`. Those that are said again get one more flag.

    Raises:
        BrokerError: The broker is lost, or refuses something.
    """
    with suppress(AccessRefused):  # who may not read what was published has published all of it again
        last = -1
        async for place, mark in published_in_order(broker):
            if not own.flags(mark) & OF_SOURCE:
                last = place
        said: list[bytes] = []
        async for place, mark in published_in_order(broker):
            if place >= last:
                break
            if (flags := own.flags(mark)) & OF_SOURCE and not flags & _RESTATED:
                own.add(mark, _RESTATED)
                said.append(mark)
            if len(said) == _RESTATED_AT_ONCE:
                await note_published(broker, run, said)
                said.clear()
        await note_published(broker, run, said)


async def _of_several_wordings(broker: Broker) -> set[str]:
    seen, found = Marks(), set()
    async for task_id, wording in _ends(broker):
        is_known = seen.add(mark_of(task_id), _SEEN)
        is_same = seen.add(mark_of_task(task_id, wording), _SEEN)
        if is_known and not is_same:
            found.add(task_id)
    return found


async def _ends(broker: Broker) -> AsyncIterator[tuple[str, str]]:
    """Id and wording of each row, then of each failure."""
    async for batch in broker.results():
        for row in readable_rows(batch, Summary()):
            yield row.task_id, row.wording
    async for task in broker.failures():
        found = decode_failure(task.body, task.id, task.record)
        yield found.task_id, found.wording

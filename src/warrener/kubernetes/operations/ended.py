"""Whether the batch of a queue has ended, by its rows and failures: a broker's counts are seconds late, and these are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.codec import decode_failure
from warrener.marks import Marks
from warrener.published import HAS_ROW, PUBLISHED, mark_of_task, published_in_order
from warrener.rows import Summary, readable_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.brokers import Broker
    from warrener.journal import JournalState
    from warrener.monitor import Status

_MOST: Final = 1_000_000  # rows; more of them take longer to read than counts are late


class Ended:
    """Reads rows once as many are there as the journal has tasks, and again only when there are more.

    Args:
        broker: Open, with the right to read results, failures and the journal.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._done_then = -1

    async def is_proven(self, status: Status, journal: JournalState | None) -> bool:
        """Whether each task of the one source that was published here, all of which the journal has, has a row or a failure.

        It is not said of a queue with several sources, with tasks that were worded anew, or that is held.

        Raises:
            BrokerError: The broker is lost.
        """
        if journal is None or journal.read is None or journal.total is None or journal.is_publishing:
            return False
        is_simple = len(journal.totals) == 1 and not (
            journal.stale_rows or journal.stale_failures or status.hold
        )
        if not is_simple or not journal.total <= status.done <= _MOST or status.done == self._done_then:
            return False
        self._done_then = status.done
        return await self._all_have_ended(journal.total) and await self._broker.drained()

    async def _all_have_ended(self, total: int) -> bool:
        marks, published, ended = Marks(), 0, 0
        async for _, mark in published_in_order(self._broker):
            published += not marks.add(mark, PUBLISHED)
        if published != total:
            return False
        async for task_id, wording in self._ends():
            ended += marks.add(mark_of_task(task_id, wording), HAS_ROW) == PUBLISHED
        return ended == published

    async def _ends(self) -> AsyncIterator[tuple[str, str]]:
        async for batch in self._broker.results():
            for row in readable_rows(batch, Summary()):
                yield row.task_id, row.wording
        async for task in self._broker.failures():
            found = decode_failure(task.body, task.id, task.record)
            yield found.task_id, found.wording

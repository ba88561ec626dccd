"""What of a queue had failed before a batch began on it: its tasks are not tried again as they are worded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.codec import decode_failure
from warrener.published import mark_of_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker


class FailedBefore:
    """The wording of each failure, by the id of its task."""

    def __init__(self) -> None:
        self._wordings: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._wordings)

    async def read(self, broker: Broker, on_cancelled: Callable[[bytes], object]) -> None:
        """Read all that there are; the marks of those that were cancelled are told, too.

        Raises:
            BrokerError: The broker is lost, or refuses it.
        """
        async for task in broker.failures():
            found = decode_failure(task.body, task.id, task.record)
            self._wordings[found.task_id] = found.wording
            if found.reason == "cancelled":
                on_cancelled(mark_of_task(found.task_id, found.wording))

    def wording(self, task_id: str) -> str | None:
        """How a task was worded that failed; None where none of this id did."""
        return self._wordings.get(task_id)

    def others(self, has: Callable[[str, str], bool]) -> set[str]:
        """The ids of those that a source does not have in this wording."""
        return {task_id for task_id, wording in self._wordings.items() if not has(task_id, wording)}

    def among(self, ids: set[str], has: Callable[[str, str], bool]) -> list[bytes]:
        """The marks of those with one of these ids that a source has in this wording."""
        known = ((task_id, self._wordings[task_id]) for task_id in ids & self._wordings.keys())
        return [mark_of_task(*found) for found in known if has(*found)]

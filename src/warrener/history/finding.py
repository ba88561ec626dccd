"""A task's row, found by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.rows import Summary, readable_rows

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.history.history import History

_AROUND: Final = 64
"""RabbitMQ counts among a stream's messages what it writes there itself, so that a row may be a little later."""


async def find_row(broker: Broker, history: History, task_id: str) -> bytes | None:
    """The row of a task, as far as the history was read; None where it has none, or another queue is in its place.

    Raises:
        BrokerError: The queue cannot be read.
    """
    place = history.completed.places.place(task_id)
    if place is None:
        return None
    end = place + _AROUND
    while place < end and (rows := await broker.results_at(place, end - place)):
        for row in readable_rows(rows, Summary()):
            if row.task_id == task_id:
                return row.line
        place += len(rows)
    return None

"""Failures, looked at without using them up."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warrener.codec import decode_failure
from warrener.failures.grouping import Groups
from warrener.id_set import IdSet
from warrener.published import mark_of_task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from warrener.brokers import Broker
    from warrener.failures.choice import Choice
    from warrener.failures.grouping import Group
    from warrener.models import Failure

_AT_A_TIME: Final = 500


async def in_batches(broker: Broker) -> AsyncGenerator[list[Failure]]:
    """All failures that lie there, the oldest first, a few hundred at a time. Who stops early closes it (`aclosing`).

    Raises:
        BrokerError: They cannot be read.
    """
    batch: list[Failure] = []
    async with aclosing(broker.failures()) as tasks:  # type: ignore[type-var] # every broker has a generator
        async for task in tasks:
            batch.append(decode_failure(task.body, task.id, task.record))
            if len(batch) == _AT_A_TIME:
                yield batch
                batch = []
    if batch:
        yield batch


async def read(broker: Broker, choice: Choice | None = None) -> AsyncGenerator[Failure]:
    """The failures, the oldest first, one per wording of a task, without using them up. Who stops early closes it (`aclosing`)."""
    seen = IdSet()
    async with aclosing(in_batches(broker)) as batches:
        async for batch in batches:
            for found in batch:
                if (choice is None or choice.fits(found)) and seen.add_mark(
                    mark_of_task(found.task_id, found.wording)
                ):
                    yield found


async def grouped(broker: Broker, choice: Choice | None = None) -> list[Group]:
    """The failures by reason, error and what the error says, the largest group first."""
    groups = Groups()
    async for found in read(broker, choice):
        groups.add(found)
    return groups.largest_first()

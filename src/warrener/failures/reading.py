"""Failures, looked at without using them up."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from warrener.codec import decode_failure
from warrener.failures.grouping import Groups
from warrener.id_set import IdSet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from warrener.brokers import Broker
    from warrener.failures.choice import Choice
    from warrener.failures.grouping import Group
    from warrener.models import Failure


async def read(broker: Broker, choice: Choice | None = None) -> AsyncGenerator[Failure]:
    """The failures, the oldest first, one per task id, without using them up. Who stops early closes it (`aclosing`)."""
    seen = IdSet()
    async with aclosing(broker.failures()) as tasks:  # type: ignore[type-var]
        async for task in tasks:
            found = decode_failure(task.body, task.id, task.record)
            if (choice is None or choice.fits(found)) and seen.add(found.task_id):
                yield found


async def grouped(broker: Broker, choice: Choice | None = None) -> list[Group]:
    """The failures by reason, error and what the error says, the largest group first."""
    groups = Groups()
    async for found in read(broker, choice):
        groups.add(found)
    return groups.largest_first()

"""How far a queue is, looked at again and again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import AccessRefused, BrokerUnreachable
from warrener.monitor import origin, watching
from warrener.web.recent import Recent

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.journal import JournalState
    from warrener.monitor import Monitor, Status
    from warrener.web.board import Board

_EVERY: Final = 1.0  # seconds
_LATE: Final = 4.0
"""Seconds after which a look that has no answer is said to have none; the broker's client goes on trying for longer."""


async def tell_status(queue: str, broker: Broker, board: Board) -> None:
    """Tell `status` every second, and `problem` where nothing is known, until cancelled.

    Raises:
        BrokerError: The broker is lost for good, or there is no queue.
    """
    recent = Recent()
    async with watching(broker) as monitor:
        while True:
            begun = time.monotonic()
            try:
                async with asyncio.timeout(_LATE):
                    seen = await monitor.look()
            except AccessRefused as error:
                board.tell("status", unseen(queue, str(error), monitor.journal))
                board.tell("problem", {"error": None})
            except (TimeoutError, BrokerUnreachable) as error:
                board.tell(
                    "problem", {"error": f"{str(error) or 'the broker does not answer'}; trying again"}
                )
            else:
                recent.add(begun, seen.done)
                board.tell("status", members(queue, seen, monitor, recent.counts))
                board.tell("problem", {"error": None})
            await asyncio.sleep(max(0.0, begun + _EVERY - time.monotonic()))


def members(queue: str, seen: Status, monitor: Monitor, recent: list[int]) -> dict[str, Any]:
    """A look at a queue, as the page has it."""
    refused = monitor.orders.error if monitor.orders else None
    return {
        "queue": queue,
        **seen.members(),
        "state": seen.state,
        "recent": recent,
        **origin(monitor.journal),
        "notes": seen.counts.notes,
        "may_not": [f"what is ordered is not for this user to see: {refused}"] if refused else [],
        "error": None,
    }


def unseen(queue: str, sentence: str, journal: JournalState | None = None) -> dict[str, Any]:
    """The same of a queue whose counts cannot be had.

    Args:
        queue: Which.
        sentence: Why.
        journal: What its journal says, where that may be read.
    """
    unknown = (
        "completed",
        "failed",
        "cancelled",
        "ready",
        "processing",
        "delayed",
        "progress",
        "rate",
        "eta",
    )
    return {
        "queue": queue,
        "at": time.time(),
        "state": "unknown",
        "total": journal.total if journal else None,
        **dict.fromkeys((*unknown, "workers", "hold")),
        "recent": [],
        **origin(journal),
        "cancelled_types": [],
        "notes": [],
        "may_not": [sentence],
        "error": sentence,
    }

"""How many tasks of each priority are ready, where the broker tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import BrokerError

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.web.board import Board

_EVERY: Final = 5.0  # seconds; RabbitMQ counts them no more often


async def tell_priorities(broker: Broker, board: Board) -> None:
    """Tell `priorities`, the most urgent first, as they change until cancelled; null where they are unknown."""
    while True:
        board.tell("priorities", await _priorities(broker))
        await asyncio.sleep(_EVERY)


async def _priorities(broker: Broker) -> list[dict[str, Any]] | None:
    try:
        found = await broker.ready_by_priority()
    except BrokerError:  # whoever looks at the counts says what is in the way
        return None
    if found is None:
        return None
    return [{"priority": priority, "ready": found[priority]} for priority in sorted(found, reverse=True)]

"""How many tasks a queue has, as the broker counts them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import BrokerError
from warrener.metrics.names import QUEUE
from warrener.metrics.samples import Sample, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.brokers import Broker, Depths

KEPT: Final = 10.0
"""Seconds in which the broker is asked once, however often Prometheus asks."""
_PATIENCE: Final = 3.0
_STATES: Final = ("ready", "delayed", "processing", "completed", "failed")
_NO_ROUTE: Final = ""


def of_queues(queues: Mapping[str, Mapping[str, Any]], accept: str = "") -> tuple[str, bytes]:
    """The content type and body of an answer to Prometheus about queues, for programs that look at them anyway.

    Args:
        queues: By their names, how many tasks are in each state; where it is None or missing, that is left out.
        accept: See `written`.

    Raises:
        UsageError: prometheus-client is missing.
    """
    return written(
        [
            Sample(QUEUE, (queue, state, _NO_ROUTE), count)
            for queue, counts in sorted(queues.items())
            for state in _STATES
            if (count := counts.get(state)) is not None
        ],
        accept,
    )


class QueueDepths:
    """What a worker tells of its queue: asked of the broker when Prometheus asks, at most once in `KEPT` seconds.

    Args:
        broker: An open broker.
        queue: The queue's name.
    """

    def __init__(self, broker: Broker, queue: str) -> None:
        self._broker = broker
        self._queue = queue
        self._turn = asyncio.Lock()
        self._depths: Depths | None = None
        self._asked_at = float("-inf")

    async def samples(self) -> list[Sample]:
        """The queue's numbers; none where the broker cannot say, since the last ones may be wrong by now."""
        async with self._turn:
            if time.monotonic() - self._asked_at >= KEPT:
                self._depths = await self._ask()
                self._asked_at = time.monotonic()
        depths = self._depths
        if depths is None:
            return []
        told = {"ready": depths.ready, "delayed": depths.delayed, "failed": depths.failed}
        return [
            Sample(QUEUE, (self._queue, state, _NO_ROUTE), count)
            for state, count in told.items()
            if count is not None
        ]

    async def _ask(self) -> Depths | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._broker.depths() if self._broker.is_connected else None
        except (BrokerError, TimeoutError):
            return None

"""The whole history of a queue, read while one sees how far it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.history import History, HistoryReader

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.cli.progress import Progress

_SHOWN_EVERY: Final = 0.5  # seconds


async def history_of(broker: Broker, progress: Progress) -> History:
    """Read it.

    Raises:
        BrokerError: The queue cannot be read.
    """
    reader = HistoryReader(broker)
    reading = asyncio.create_task(reader.read())
    try:
        while not (await asyncio.wait({reading}, timeout=_SHOWN_EVERY))[0]:
            history = reader.history
            total = max(history.expected, history.read)
            progress.show(f"read {history.read:,} of {total:,} rows and failures", history.read, total)
        return reading.result()
    finally:
        reading.cancel()
        await asyncio.wait({reading})

"""What a few rows tell of late, however many there are: how long tasks took, and how many completed when."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused
from warrener.history.completed import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Broker

_FIRST: Final = 200
NEWEST: Final = 5000
"""So many rows are read, the newest; fewer where they are large."""
_MOST_BYTES: Final = 16 << 20
BINS: Final = 30
BIN: Final = 10.0
"""Seconds of a bin of the pace."""


class Recent:
    """What the newest rows tell.

    Args:
        completed: What they tell.
        rows: How many there are in all.
        pace: How many completed in each of the last `BINS` bins of `BIN` seconds, the newest last; None where nobody knows.
    """

    def __init__(self, completed: Completed, rows: int, pace: list[int] | None) -> None:
        self.completed = completed
        self.rows = rows
        self.pace = pace


async def recent(broker: Broker, rows: int) -> Recent | None:
    """Look at the newest rows, and at a few dozen of those before; None where this user may not.

    Args:
        broker: An open broker.
        rows: How many rows there are, as the broker counts them.

    Raises:
        BrokerError: The broker is lost.
    """
    with suppress(AccessRefused):
        newest, pace = await asyncio.gather(_newest(broker), _pace(broker, rows))
        completed = Completed(len(newest))
        completed.add(newest)
        return Recent(completed, max(rows, len(newest)), pace)
    return None


async def _newest(broker: Broker) -> Sequence[bytes]:
    newest = await broker.newest_results(_FIRST, enough=_MOST_BYTES)
    most = min(NEWEST, _MOST_BYTES // (1 + sum(map(len, newest)) // max(1, len(newest))))
    return await broker.newest_results(most) if most > len(newest) == _FIRST else newest


async def _pace(broker: Broker, rows: int) -> list[int] | None:
    """How many completed when."""
    if not rows:
        return None
    now = time.time()
    ends = await broker.completed_at([now - number * BIN for number in reversed(range(BINS + 1))])
    return [max(0, end - begin) for begin, end in pairwise(ends)]

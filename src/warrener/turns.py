"""Runs of one source at the same time publish one after the other, so that none publishes what another has."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused
from warrener.journal import Left, note, read_journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker
    from warrener.journal import Begun, JournalState

ALIVE_EVERY: Final = 3.0
"""Seconds between two signs of life that a run writes into the journal while it publishes."""
_SILENT_FOR: Final = 12.0  # seconds after which a run that says nothing is taken for dead
_LOOK_EVERY: Final = 0.5  # seconds


class SignsOfLife:
    """Of runs that publish: which of them said something of late. By this process's own clock, as records have no times."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[int, float]] = {}  # how many records of each run, and since when

    def hear(self, records: dict[str, int]) -> None:
        """So many records there are now of each run that has not ended."""
        now = time.monotonic()
        self._heard = {
            run: self._heard[run] if self._heard.get(run, (0, 0))[0] == count else (count, now)
            for run, count in records.items()
        }

    @property
    def are_there(self) -> bool:
        """Whether one of them may be alive."""
        now = time.monotonic()
        return any(now - since <= _SILENT_FOR for _, since in self._heard.values())


async def wait_for_turn(broker: Broker, begun: Begun, on_wait: Callable[[], None]) -> JournalState | None:
    """Wait until no earlier run publishes the same source; what the journal says then, None for who may not read it.

    A run that was killed while it published is waited for as long as it might only be slow, and then given up in the journal:
    no run after this one waits for it again.

    Args:
        broker: Where.
        begun: The run that waits; it is in the journal.
        on_wait: Told when there is something to wait for.
    """
    signs = SignsOfLife()
    while True:
        try:
            state = await read_journal(broker)
        except AccessRefused:  # who may not read it publishes all, and each task has one row all the same
            return None
        earlier = state.publishing_before(begun)
        signs.hear(earlier)
        if not signs.are_there:
            for run in earlier:
                await note(broker, Left(run))
            return state
        on_wait()
        await asyncio.sleep(_LOOK_EVERY)

"""Runs of one source at the same time publish one after the other, so that none publishes what another has."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused
from warrener.journal import Left, note, read_journal
from warrener.published import published_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warrener.brokers import Broker
    from warrener.journal import Begun, JournalState

ALIVE_EVERY: Final = 3.0
"""Seconds between two signs of life that a run writes into the journal while it publishes."""
_SILENT_FOR: Final = 12.0  # seconds after which a run that says nothing is taken for dead
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at whether it lives."""


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
            if earlier:
                await give_up(broker, earlier)
            return state
        on_wait()
        await asyncio.sleep(LOOK_EVERY)


async def give_up(broker: Broker, runs: Iterable[str]) -> None:
    """Write into the journal that these runs, which were killed, have left.

    Raises:
        BrokerError: The broker is lost.
    """
    has_published = await may_have_tasks(broker)
    for run in runs:
        await note(broker, Left(run, has_published=has_published))


async def may_have_tasks(broker: Broker) -> bool:
    """Whether a queue has any task, or ever had one, as far as this user may know.

    Raises:
        BrokerError: The broker is lost.
    """
    try:
        counts = await broker.counts()
        if counts.completed or counts.failed or not counts.is_all_done:
            return True
        async with aclosing(published_in_order(broker)) as marks:
            return await anext(marks, None) is not None
    except AccessRefused:
        return True

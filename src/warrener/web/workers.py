"""What workers run, as they tell it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from warrener.beats import listening
from warrener.errors import AccessRefused, QueueMissing

if TYPE_CHECKING:
    from warrener.beats import Beat, Heard
    from warrener.brokers import Broker
    from warrener.web.board import Board

_EVERY: Final = 1.0  # seconds
_FIRST_WITHIN: Final = 0.5  # seconds, by which it is mostly known whether this user may listen
_AGAIN_AFTER: Final = 10.0  # seconds; somebody may have changed the queue or the user
_RATE_OVER: Final = 20.0  # seconds of a worker's life


async def tell_workers(broker: Broker, board: Board) -> None:
    """Tell `workers` every second until cancelled."""
    rates = _Rates()
    while True:
        async with listening(broker) as heard:
            await heard.have(1, _FIRST_WITHIN)
            while not heard.error:
                board.tell("workers", {"workers": rates.of(heard.workers), "may_not": None})
                await asyncio.sleep(_EVERY)
        board.tell("workers", {"workers": None, "may_not": _why(heard)})
        await asyncio.sleep(_AGAIN_AFTER)


class _Rates:
    """How many tasks each worker ends per second, by its own clock."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def of(self, beats: list[Beat]) -> list[dict[str, Any]]:
        """The workers as the page has them."""
        self._told = {
            key: self._told.get(key, deque()) for key in ((beat.worker, beat.key) for beat in beats)
        }
        return [{**asdict(beat), "rate": self._rate(beat)} for beat in beats]

    def _rate(self, beat: Beat) -> float | None:
        told = self._told[beat.worker, beat.key]
        ended = beat.completed + beat.delayed + beat.failed
        if not told or told[-1][0] != beat.seconds:
            told.append((beat.seconds, ended))
        while len(told) > 2 and told[1][0] < beat.seconds - _RATE_OVER:  # noqa: PLR2004 - a rate needs two
            told.popleft()
        (begin, before), (end, after) = told[0], told[-1]
        return (after - before) / (end - begin) if end > begin else None


def _why(heard: Heard) -> str:
    if isinstance(heard.error, AccessRefused):
        return f"what runs is not for this user to see: {heard.error}"
    if isinstance(heard.error, QueueMissing):
        return "what runs is not told on this queue, which is older than that: `warrener setup` changes it"
    return f"what runs is unknown: {heard.error}"

"""What a few rows tell of late, however many there are: how long tasks took, and how many completed when."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import AccessRefused
from warrener.history.completed import Completed
from warrener.history.timeline import LATEST

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
_PROBES: Final = 40


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
        newest = await broker.newest_results(_FIRST)
        most = min(NEWEST, _MOST_BYTES // (1 + sum(map(len, newest)) // max(1, len(newest))))
        if most > len(newest) == _FIRST:
            newest = await broker.newest_results(most)
        completed = Completed(len(newest))
        completed.add(newest)
        return Recent(completed, max(rows, len(newest)), await _pace(broker, newest, rows))
    return None


async def _pace(broker: Broker, newest: Sequence[bytes], rows: int) -> list[int] | None:
    """How many completed when: of those rows whose time is known, and in between at the same rate."""
    now = time.time()
    begin = now - BINS * BIN
    known = {rows - len(newest) + number: at for number, line in enumerate(newest) if (at := _ended_at(line))}
    if not known or max(known.values()) < begin:
        return [0] * BINS if known else None
    places = []
    back = 2 * len(newest)
    while rows > len(newest) and min(known.values()) > begin and back < 2 * rows:
        places.append(max(0, rows - back))
        back *= 2
    known |= await _times(broker, places)
    # The latest place that is known to be before all this, and then evenly from there on.
    first = max((place for place, at in known.items() if at <= begin), default=min(known))
    last = rows - len(newest)
    if last > first:
        step = (last - first) / _PROBES
        known |= await _times(broker, sorted({first + int(step * number) for number in range(1, _PROBES)}))
    return _counted(known, begin)


async def _times(broker: Broker, places: Sequence[int]) -> dict[int, float]:
    """When the rows at these places ended, as far as they tell."""
    found = await asyncio.gather(*(broker.results_at(place, 1) for place in places))
    return {
        place: at for place, lines in zip(places, found, strict=True) if lines and (at := _ended_at(lines[0]))
    }


def _counted(known: dict[int, float], begin: float) -> list[int]:
    """How many rows are in each bin since then."""
    curve = sorted(known.items())
    latest = 0.0
    edges = [begin + number * BIN for number in range(BINS + 1)]
    counts = [0.0] * BINS
    for (place, at), (next_place, next_at) in pairwise(curve):
        latest = max(latest, at)  # a little later a row may have ended a little earlier
        until = max(latest, next_at)
        for number, (start, end) in enumerate(pairwise(edges)):
            if until == latest:
                counts[number] += (next_place - place) * (start <= until < end)
            elif (shared := min(end, until) - max(start, latest)) > 0:
                counts[number] += (next_place - place) * shared / (until - latest)
    return [round(count) for count in counts]


class _Ended(msgspec.Struct):
    processed_at: Annotated[float, msgspec.Meta(ge=0, le=LATEST)]


_ended = msgspec.json.Decoder(_Ended)


def _ended_at(line: bytes) -> float | None:
    try:
        return _ended.decode(line).processed_at
    except NOT_JSON:
        return None

"""How long what is left will take, from how long tasks took and how many run at a time."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

import msgspec

from warrener.models import Seconds  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class _Took(msgspec.Struct):
    duration: Seconds


_rows = msgspec.json.Decoder(_Took)


def durations_in(rows: Iterable[bytes]) -> list[float]:
    """How long the tasks of these result rows took, in seconds; what is no row of a worker's is passed over."""
    found = []
    for row in rows:
        try:
            found.append(_rows.decode(row).duration)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
    return found


def time_left(left: int, slots: int, durations: Sequence[float]) -> tuple[float, float]:
    """Between how many and how many seconds, most likely. The more tasks have ended, and the more alike they are, the closer.

    Args:
        left: Tasks that have not ended, those that run included.
        slots: How many run at a time.
        durations: Seconds that tasks took; at least one.
    """
    mean = fmean(durations)
    # Of one nobody knows how much they differ.
    doubt = 2 * stdev(durations) / len(durations) ** 0.5 if len(durations) > 1 else mean / 2
    rounds = max(0.0, left - min(slots, left) / 2) / slots  # what runs is half done, on average
    # The last ones end one by one: not before one that was just begun.
    last = min(max(durations), mean + doubt) if left > slots else 0.0
    return rounds * max(0.0, mean - doubt), max(rounds * (mean + doubt), last)

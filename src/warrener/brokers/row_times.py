"""When rows of results came to be, which the rows themselves tell."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from warrener.codec import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Row(msgspec.Struct):
    processed_at: float


_decoder = msgspec.json.Decoder(_Row)


def count_at(times: Sequence[float], rows: int, read: Callable[[int], bytes]) -> list[int]:
    """How many rows there were at these times; about, as a row may have come a little before one that ended earlier.

    Args:
        times: Unix timestamps.
        rows: How many there are now.
        read: Gives the row that has so many before it.
    """

    def ended_at(place: int) -> float:
        try:
            return _decoder.decode(read(place)).processed_at
        except NOT_JSON:  # somebody else wrote it
            return 0.0

    return [bisect_left(range(rows), at, key=ended_at) for at in times]

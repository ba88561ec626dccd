"""What the newest rows, and a few of those before, tell of late."""

from __future__ import annotations

import io
import random
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from warrener.cli.taken import pace_line, slowest_lines
from warrener.errors import AccessRefused
from warrener.history import Took, recent
from warrener.history.recent import BIN, BINS, NEWEST
from warrener.models import Result

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Queue:
    """A broker that has rows of these times, and counts how many it was asked for."""

    def __init__(self, ends: list[float], size: int = 1) -> None:
        self.ends = ends
        self.size = size
        self.asked = 0

    async def newest_results(self, most: int, *, enough: int | None = None) -> list[bytes]:
        self.asked += most
        return [self._row(at) for at in self.ends[-most:]]

    async def completed_at(self, times: Sequence[float]) -> list[int]:
        return [bisect_left(self.ends, at) for at in times]

    def _row(self, at: float) -> bytes:
        value = msgspec.Raw(b'"' + b"x" * self.size + b'"')
        return msgspec.json.encode(Result(f"t{at}", "resize", "completed", value, 1, "host", at - 1, at, 1.0))


async def test_pace_is_told_from_a_few_rows_however_many_there_are() -> None:
    # Given rows that came for a while, but for half a minute in which none came
    now, chance = time.time(), random.Random(3)
    ends = sorted(now - chance.random() * 700 for _ in range(70_000))
    queue: Any = _Queue([at for at in ends if not 55 <= now - at < 95])
    # When they are looked at
    found = await recent(queue, len(ends))
    # Then each bin has as many as came then
    assert found
    assert found.pace
    assert len(found.pace) == BINS
    assert [number for number, count in enumerate(found.pace) if not count] == [21, 22, 23]
    assert sum(found.pace) == pytest.approx(sum(now - at <= BINS * BIN for at in queue.ends), rel=0.05)
    # And few were read
    assert queue.asked < NEWEST + 400


async def test_what_is_long_over_has_no_pace() -> None:
    queue: Any = _Queue([time.time() - 5000 + n / 10 for n in range(20_000)])
    found = await recent(queue, 20_000)
    assert found
    assert found.pace == [0] * BINS
    assert found.completed.read == NEWEST
    assert found.rows == 20_000


async def test_of_large_rows_few_are_read() -> None:
    queue: Any = _Queue([time.time()] * 5000, size=100_000)
    found = await recent(queue, 5000)
    assert found
    assert found.completed.read < 250


async def test_who_may_not_see_rows_is_told_nothing() -> None:
    class Refused(_Queue):
        async def newest_results(self, most: int, *, enough: int | None = None) -> list[bytes]:
            raise AccessRefused("no")

    refused: Any = Refused([])
    assert await recent(refused, 10) is None
    empty: Any = _Queue([])
    found = await recent(empty, 0)
    assert found
    assert found.pace is None


def test_line_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pace_line([0, 1, 5, 10]).startswith("▁▂▅█  completed in the last ")
    assert pace_line([0, 0]) == pace_line([]) == ""
    monkeypatch.setattr("warrener.cli.taken.sys.stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert pace_line([0, 1]) == ""


def test_slowest_are_told_where_there_is_something_to_say() -> None:
    def row(number: int, seconds: float) -> bytes:
        found = Result(f"t{number}", "resize", "completed", msgspec.Raw(b"1"), 1, "host-1", 1.0, 2.0, seconds)
        return msgspec.json.encode(found)

    alike = Took()
    alike.add([row(n, 2.0) for n in range(100)])
    assert [*slowest_lines(alike)] == []
    few = Took()
    few.add([row(1, 0.1), row(2, 60)])
    assert [*slowest_lines(few)] == []
    some = Took()
    some.add([b"strange", *(row(n, 0.5) for n in range(100)), row(100, 95), row(101, 8)])
    assert [*slowest_lines(some)] == [
        "slowest, where half of them took no more than 508 ms:",
        "  t100  1 min 35 s  on host-1",
        "  t101         8 s  on host-1",
    ]

"""How long the tasks of one batch took, told at a microsecond a row while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warrener.codec import NOT_JSON
from warrener.history.durations import Durations
from warrener.history.slowest import Slowest
from warrener.models import Seconds  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Row(msgspec.Struct, gc=False):
    task_id: str
    type: str
    worker: str
    processed_at: Seconds
    duration: Seconds


_rows = msgspec.json.Decoder(_Row)


class Took:
    """How long tasks took, and which took longest."""

    def __init__(self) -> None:
        self.durations = Durations()
        self.slowest = Slowest()

    def add(self, lines: Sequence[bytes]) -> None:
        """Take in rows; what does not tell how long it took is passed over."""
        try:
            rows = [*map(_rows.decode, lines)]
        except NOT_JSON:
            rows = [row for line in lines if (row := _readable(line))]
        if rows:
            self.slowest.add_all(rows, range(self.durations.count, self.durations.count + len(rows)))
            self.durations.add_all([row.duration for row in rows])


def _readable(line: bytes) -> _Row | None:
    try:
        return _rows.decode(line)
    except NOT_JSON:
        return None

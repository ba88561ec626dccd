"""How long tasks took, and at what pace, as `status` and `run` show it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import AccessRefused
from warrener.history import Took, recent
from warrener.history.recent import BIN, BINS
from warrener.status_line import took

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warrener.brokers import Broker
    from warrener.history import History, Recent

_MOST_TYPES: Final = 12
_NAME: Final = 40  # characters
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_WITHOUT_THEM: Final = {"dumb", "linux", "unknown", "vt100"}  # terminals whose font has none of them
_SLOWEST: Final = 3
_FEW: Final = 20
_LONG: Final = 1.0  # seconds
_UNUSUAL: Final = 5
_NEWEST: Final = 200
_ENOUGH: Final = 4 << 20  # bytes of them
_EVERY: Final = 10.0  # seconds


def pace_line(counts: Sequence[int]) -> str:
    """A line that rises with the counts; nothing where there are none, or the terminal cannot show it."""
    if not any(counts) or not _shows(_LEVELS):
        return ""
    most = max(counts)
    line = "".join(_LEVELS[-(-count * (len(_LEVELS) - 1) // most)] for count in counts)
    return f"{line}  completed in the last {BINS * BIN / 60:.0f} min"


def recent_rows(found: Recent) -> list[tuple[str, str]]:
    """How long the newest tasks took, in rows of a table."""
    types = [
        (name, of_type.completed, [of_type.durations.quantile(share) for share in (0.5, 0.95)])
        for name, of_type in found.completed.types.items()
        if of_type.durations.count
    ]
    rows = [
        [
            _short(name) or "(no type)",
            *(f"p{percent} {took(at or 0)}" for percent, at in zip((50, 95), those, strict=True)),
        ]
        for name, _, those in sorted(types, key=lambda told: -told[1])[:_MOST_TYPES]
    ]
    lines = _columns(rows)
    if more := len(types) - len(lines):
        lines.append(f"and {more:,} more types")
    if lines and found.rows > found.completed.read:
        lines.append(f"of the newest {found.completed.read:,} rows; of all of them with --history")
    return _named("took", lines)


def history_rows(found: History) -> list[tuple[str, str]]:
    """What became of the tasks of each type and how long they took, and which took longest, in rows of a table."""
    rows = [["", "completed", "failed", "retries", "p50", "p95", "p99", "max"]]
    types = [*found.types]
    for name, completed, failed in types[:_MOST_TYPES]:
        durations = completed.durations
        counts = (completed.completed, failed.failed, completed.retries + failed.retries)
        shares = [durations.quantile(share) for share in (0.5, 0.95, 0.99, 1)]
        rows.append(
            [
                _short(name) or "(no type)",
                *(f"{count:,}" for count in counts),
                *("-" if at is None else took(at) for at in shares),
            ]
        )
    lines = _columns(rows) if types else []
    if more := len(types) - _MOST_TYPES:
        lines += [f"and {more:,} more types"] if more > 0 else []
    slowest = _columns(
        [
            [_short(slow.task_id), took(slow.seconds), _short(slow.type), f"on {slow.worker}"]
            for slow in found.slowest[:5]
        ]
    )
    return [*_named("types", lines), *_named("slowest", slowest)]


def recent_members(found: Recent | None) -> dict[str, Any]:
    """The same as JSON has it: null where this user may not see rows."""
    if found is None:
        return {"types": None, "types_of": None, "pace": None}
    types = []
    for name, of_type in sorted(found.completed.types.items()):
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        took = {name: of_type.durations.quantile(share) for name, share in shares.items()}
        took = {name: None if at is None else round(at, 6) for name, at in took.items()}
        types.append({"type": name, "completed": of_type.completed, **took})
    return {
        "types": types,
        "types_of": {"newest": found.completed.read, "rows": found.rows},
        "pace": None if found.pace is None else {"step": BIN, "completed": found.pace},
    }


class Lately:
    """How long the newest tasks took, of one look after the other: as it was within the last ten seconds.

    Args:
        broker: An open broker.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._text = ""
        self._members = recent_members(None)
        self._due = 0.0

    async def members(self, rows: int) -> dict[str, Any]:
        """It, as `recent_members` has it.

        Args:
            rows: How many rows there are, as the broker counts them.

        Raises:
            BrokerError: The broker is lost.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            self._members = recent_members(await recent(self._broker, rows))
        return self._members

    async def text(self) -> str:
        """It, for the end of a line; nothing where no row tells, or this user may not see any.

        Raises:
            BrokerError: The broker is lost.
        """
        if time.monotonic() < self._due:
            return self._text
        self._due, found = time.monotonic() + _EVERY, Took()
        try:
            found.add(await self._broker.newest_results(_NEWEST, enough=_ENOUGH))
        except AccessRefused:
            return ""
        half, most = (found.durations.quantile(share) for share in (0.5, 0.95))
        self._text = "" if half is None or most is None else f" | p50 {took(half)}, p95 {took(most)}"
        return self._text


def slowest_lines(found: Took) -> Iterator[str]:
    """Which tasks of a batch took longest, where they took much longer than others did."""
    usual = found.durations.quantile(0.5)
    if usual is None or found.durations.count < _FEW:
        return
    slow = [
        slow
        for slow in found.slowest.longest_first()[:_SLOWEST]
        if slow.seconds >= max(_LONG, _UNUSUAL * usual)
    ]
    if slow:
        yield f"slowest, where half of them took no more than {took(usual)}:"
        yield from (
            f"  {line}"
            for line in _columns(
                [[_short(each.task_id), took(each.seconds), f"on {each.worker}"] for each in slow]
            )
        )


def _shows(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return not sys.stdout.isatty() or os.environ.get("TERM", "dumb") not in _WITHOUT_THEM


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose cells stand below each other, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not number or cell.startswith(("on ", "p50 ", "p95 ")) else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _named(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [("" if number else name, line) for number, line in enumerate(lines)]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"

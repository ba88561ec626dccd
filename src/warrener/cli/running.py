"""What runs, as `status` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict

from warrener.errors import AccessRefused, QueueMissing
from warrener.status_line import span

if TYPE_CHECKING:
    from warrener.beats import At, Heard, Running

_MOST: Final = 5
_ID: Final = 40  # characters
_SHOWN_AFTER: Final = 1.0  # seconds
_MENTIONED_AFTER: Final = 5.0  # seconds


def running_rows(heard: Heard, expected: int | None) -> list[tuple[str, str]]:
    """What runs in rows of a table, the longest first.

    Args:
        heard: What was heard of it.
        expected: How many tasks are counted as processed; None where nobody knows.
    """
    if heard.error:
        return [("running", _unheard(heard))]
    running, omitted = heard.running, heard.omitted
    shown = [_row(at) for at in running[:_MOST] if at.running.seconds >= _SHOWN_AFTER]
    count = len(running) + omitted
    if count and not shown:
        return [("running", f"{count:,}, none of them for a second")]
    if not shown:
        return [("running", "not told by any worker within a few seconds")] if expected else []
    width = [max(len(row[column]) for row in shown) for column in range(3)]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, [*width, 0], strict=True)) for row in shown
    ]
    if more := count - len(shown):
        lines.append(f"and {more:,} more")
    return [("" if number else "running", line) for number, line in enumerate(lines)]


def longest(heard: Heard) -> str:
    """What has run longest, for the end of a line; nothing while that is not long."""
    first = next(iter(heard.running), None)
    if first is None or first.running.seconds < _MENTIONED_AFTER:
        return ""
    progress = _progress(first.running)
    told = f"{span(first.running.seconds)}{f', {progress}' if progress else ''}"
    return f" | longest {_short(first.running.task_id)} {told}"


def running_members(heard: Heard) -> dict[str, object]:
    """What runs, and the workers that were heard, as JSON has it: null where that cannot be known."""
    if heard.error:
        return {"running": None, "heard": None}
    running = [{"worker": at.worker, **asdict(at.running)} for at in heard.running]
    workers = []
    for beat in heard.workers:
        told = asdict(beat)
        told["running"] = len(beat.running) + told.pop("omitted")
        del told["key"]
        workers.append(told)
    return {"running": running, "heard": workers}


def _unheard(heard: Heard) -> str:
    if isinstance(heard.error, AccessRefused):
        return "not for this user to see"
    if isinstance(heard.error, QueueMissing):
        return "not told on this queue, which is older than that: `warrener setup` changes it"
    return f"unknown: {heard.error}"


def _row(at: At) -> tuple[str, str, str, str]:
    found = at.running
    progress = _progress(found)
    attempt = f"attempt {found.attempt}" if found.attempt > 1 else ""
    return (
        _short(found.task_id),
        span(found.seconds),
        "  ".join(part for part in (progress, attempt) if part),
        f"on {at.worker}",
    )


def _progress(running: Running) -> str:
    if running.done is None:
        return ""
    if running.total is None:
        return _number(running.done)
    share = f" ({min(running.done / running.total, 9.99):.0%})" if running.total else ""
    return f"{_number(running.done)} of {_number(running.total)}{share}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.2f}"


def _short(name: str) -> str:
    return name if len(name) <= _ID else f"{name[: _ID - 1]}…"

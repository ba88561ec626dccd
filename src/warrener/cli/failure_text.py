"""A failure for people: the task, and every attempt with its traceback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warrener.cli.printing import plain
from warrener.codec import encode

if TYPE_CHECKING:
    from warrener.models import Attempt, Failure


def described(found: Failure) -> str:
    """The failure in lines that a terminal may have."""
    lines = [
        f"task      {found.task_id}",
        f"type      {found.type}",
        f"reason    {found.reason}",
        f"failed    {_time(found.failed_at)}",
        f"attempts  {found.attempts}",
        f"published {encode(found.task).decode() if found.body_base64 is None else found.body_base64 + ' (base64)'}",
    ]
    for attempt in found.history:
        lines += _attempt(attempt)
    return "\n".join(map(plain, lines))


def _attempt(attempt: Attempt) -> list[str]:
    duration = "" if attempt.duration is None else f", {attempt.duration:.3f} s"
    where = f" on {attempt.worker}" if attempt.worker else ""
    began = _time(attempt.started_at) if attempt.started_at else "its start is unknown"
    lines = [
        "",
        f"attempt {attempt.number}: {began}{duration}{where}" if attempt.number else "no attempt:",
        *(f"  {line}" for line in f"{attempt.error}: {attempt.message}".splitlines()),
    ]
    return lines + [f"  | {line}" for line in attempt.traceback.splitlines()]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "at an unknown time"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

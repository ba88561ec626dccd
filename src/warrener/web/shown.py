"""Tasks, failures and rows as the page has them: of bounded size, whatever is in them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import asdict

from warrener.codec import NOT_JSON, encode
from warrener.models import Result, Seconds

if TYPE_CHECKING:
    from warrener.models import Attempt, Failure

_MOST_IN_LIST: Final = 4096
"""Bytes of a task or a value that a list shows."""
_MOST_ALONE: Final = 1024 * 1024
_TIMES: Final = ("started_at", "processed_at", "duration")


def failure_members(found: Failure, *, is_alone: bool = False) -> dict[str, Any]:
    """A failure as the page has it.

    Args:
        found: The failure.
        is_alone: Whether it is shown with all of its attempts.
    """
    last = found.history[-1] if found.history else None
    members = {
        "task_id": found.task_id,
        "type": found.type,
        "reason": found.reason,
        "error": found.error,
        "message": found.message,
        "attempts": found.attempts,
        "failed_at": found.failed_at,
        "origin": found.origin,
        "worker": last.worker if last else None,
        "duration": _seconds(last.duration) if last else None,
        "body_base64": found.body_base64 if is_alone else None,
        **_bounded("task", found.task, _MOST_ALONE if is_alone else _MOST_IN_LIST),
    }
    if is_alone:
        members["history"] = [attempt_members(attempt) for attempt in found.history]
    return members


def example_members(found: Failure) -> dict[str, Any]:
    """A failure as the example of its group: with its last attempt."""
    return {**failure_members(found), "history": [attempt_members(attempt) for attempt in found.history[-1:]]}


def attempt_members(attempt: Attempt) -> dict[str, Any]:
    """An attempt that failed."""
    return {**asdict(attempt), "duration": _seconds(attempt.duration), "outcome": "failed"}


def completed(row: bytes | None) -> Result | None:
    """A row of the results; None where it is none, or not of Warrener's."""
    try:
        return msgspec.json.decode(row, type=Result) if row else None
    except NOT_JSON:
        return None


def row_members(line: bytes, *, is_alone: bool = False) -> dict[str, Any] | None:
    """A row of the results; None where it is none."""
    most = _MOST_ALONE if is_alone else _MOST_IN_LIST
    try:
        row = msgspec.json.decode(line)
    except NOT_JSON:
        return None
    if not isinstance(row, dict):
        return None
    row |= {name: _seconds(row[name]) for name in _TIMES if name in row}
    return {**row, **_bounded("value", row.get("value"), most)} if len(line) > most else row


def _seconds(value: Any) -> float | None:
    """A time or a length as written; null where no calendar has it, as a stranger may write it."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(value, Seconds)
    return None


def _bounded(name: str, value: Any, most: int) -> dict[str, Any]:
    """A member, or null and its size where it is too large to be shown."""
    size = len(encode(value))
    return {name: value} if size <= most else {name: None, f"{name}_bytes": size}

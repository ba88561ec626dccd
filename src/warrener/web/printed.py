"""What a task that has completed has printed, where its queue keeps that: its end, and no more is read than for that."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import AccessRefused, QueueMissing
from warrener.logs import read_since
from warrener.web.shown import completed

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.models import Result
    from warrener.web.watch import Watch

_MOST: Final = 64 * 1024  # bytes
_AROUND: Final = 10.0
"""Seconds around an attempt in which its output is sought: clocks differ, and it is written a moment after it came."""
_MOST_READ: Final = 64 * 1024 * 1024
"""So many bytes of what all tasks have printed meanwhile are looked through."""


async def printed(watch: Watch, task_id: str) -> dict[str, Any]:
    """The end of what the attempt that completed a task has printed.

    Its `text` is null where the queue keeps no output, where the task has no row, and where this user may not see it.

    Raises:
        BrokerError: The queue cannot be read.
    """
    result = completed(await watch.find_row(task_id))
    if result is None:
        return _answer(None)
    try:
        return await _printed_by(await watch.broker(), result)
    except QueueMissing:
        return _answer(None)
    except AccessRefused as error:
        return _answer(None, f"What it printed is not for this user to see: {error}")


async def _printed_by(broker: Broker, result: Result) -> dict[str, Any]:
    text, size, read, is_whole = b"", 0, 0, False
    async with aclosing(read_since(broker, result.started_at - _AROUND)) as pieces:
        async for piece in pieces:
            read += len(piece.printed)
            if piece.task_id == result.task_id and piece.attempt == result.attempts:
                size += len(piece.printed)
                text = (text + piece.printed)[-_MOST:]
                is_whole = bool(piece.outcome)
            if is_whole or piece.at > result.processed_at + _AROUND:
                break
            if read > _MOST_READ:
                note = f"The first {read / 1e6:.0f} MB of what was printed while it ran were looked through"
                return _answer(text, f"{note}; `warrener logs` with its id looks through the rest.")
    if not size:
        return _answer(b"", "Nothing that it printed is kept.", is_whole=is_whole)
    if size > len(text):
        text = text[text.find(b"\n") + 1 :]
        note = (
            f"The {size - len(text):,} bytes before that are left out; `warrener logs` with its id has all."
        )
        return _answer(text, note, is_whole=is_whole)
    return _answer(text, is_whole=is_whole)


def _answer(text: bytes | None, note: str | None = None, *, is_whole: bool = True) -> dict[str, Any]:
    """As the page has it; what is not whole may have more in a moment, where the task has just ended."""
    shown = None if text is None else text.decode("utf-8", "replace")
    return {"text": shown, "note": note, "is_whole": is_whole}

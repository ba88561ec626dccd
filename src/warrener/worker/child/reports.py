"""How a handler ended, as the supervisor is told: its value as JSON, or what it raised."""

from __future__ import annotations

import resource
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from warrener.errors import PermanentError, TransientError
from warrener.models import MAX_MESSAGE, MAX_TRACEBACK
from warrener.text import cut
from warrener.values.simpler import Unwritable
from warrener.values.writing import shortened, written
from warrener.worker.frames import Report
from warrener.worker.manifest import no_handler
from warrener.worker.untraced import Untraced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, TracebackType

    from warrener.errors import InvalidTask
    from warrener.handler import Handler
    from warrener.worker.frames import WorkItem

_HERE = str(Path(__file__).parent)
_MOST_STACKS = 100
_stacks: dict[tuple[tuple[CodeType, int], ...], str] = {}
_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


class ResultUnwritable(PermanentError):  # noqa: N818 - its name is what users read
    """A handler has returned what nobody could read as a result.

    Args:
        sentence: Why.
        value: What it returned. It is kept as text, since the work was done.
    """

    def __init__(self, sentence: str, value: object) -> None:
        super().__init__(sentence)
        self.returned = shortened(value)


class ResultTooLarge(ResultUnwritable):
    """A handler has returned more than the broker takes."""


def encoded(value: object, max_result: int) -> bytes:
    """A handler's return value as JSON.

    Raises:
        ResultUnwritable: JSON cannot carry it, or it is too large for those who are to have it.
    """
    try:
        body = written(value, with_nan=True)
    except Unwritable as error:
        raise ResultUnwritable(
            f"the handler returned a value that JSON cannot carry: {error}", value
        ) from None
    if len(body) > max_result:
        raise ResultTooLarge(
            f"the result has {len(body)} bytes; the broker takes {max_result} at most", value
        )
    return body


def completed(item: WorkItem, started_at: float, duration: float, body: bytes) -> Report:
    """The report of a handler that has returned.

    Args:
        item: What it was given.
        started_at: When it began, in seconds since the epoch.
        duration: Seconds it took.
        body: What it returned, encoded.
    """
    return Report(item.key, "completed", started_at, duration, _peak_memory(), body)


def failed(
    item: WorkItem, handler: Handler, started_at: float, duration: float, error: BaseException
) -> Report:
    """The report of a handler that has raised an error. Args: as `completed`."""
    kind = "permanent" if isinstance(error, (PermanentError, *handler.permanent)) else "failed"
    return Report(
        item.key,
        kind,
        started_at,
        duration,
        _peak_memory(),
        error=cut(str(type(error).__name__), MAX_MESSAGE),
        message=told(lambda: cut(str(error), MAX_MESSAGE)),
        traceback=told(lambda: cut(_traceback(error), MAX_TRACEBACK, keep_end=True)),
        after=_seconds(error.after) if isinstance(error, TransientError) else None,
    )


def stopped(item: WorkItem, started_at: float, duration: float) -> Report:
    """The report of a handler that has left since its worker stops. Args: as `completed`."""
    return Report(item.key, "stopped", started_at, duration, _peak_memory())


def invalid(item: WorkItem, started_at: float, duration: float, error: InvalidTask) -> Report:
    """The report of a task whose data does not fit its handler. Args: as `completed`."""
    message = cut(str(error), MAX_MESSAGE)
    return Report(item.key, "invalid", started_at, duration, _peak_memory(), message=message)


def unknown(item: WorkItem, known: Iterable[str]) -> Report:
    """The report of a task that no handler takes: the app was imported anew since the supervisor was told what is in it.

    Args:
        item: The task.
        known: The types that there are.
    """
    message = no_handler(item.type, known)
    return Report(item.key, "unknown-type", 0.0, 0.0, _peak_memory(), message=message)


def without_ours(frames: TracebackType | None) -> TracebackType | None:
    """A stack from the first line on that is not Warrener's own."""
    while frames and frames.tb_frame.f_code.co_filename.startswith(_HERE):
        frames = frames.tb_next
    return frames


def told(tell: Callable[[], str]) -> str:
    """What a user's error says of itself, or that it does not."""
    try:
        return tell()
    except BaseException:  # noqa: BLE001 - a user's __str__ may do anything
        return "(its message cannot be read)"


def _traceback(error: BaseException) -> str:
    if isinstance(error, ResultUnwritable):
        return f"The handler returned {error.returned}"
    if isinstance(error, Untraced):
        return ""
    frames = without_ours(error.__traceback__.tb_next if error.__traceback__ else None)
    if frames is None:
        return ""
    if error.__cause__ or error.__context__ or isinstance(error, BaseExceptionGroup):
        return "".join(traceback.format_exception(type(error), error, frames))
    last = traceback.format_exception_only(type(error), error)
    return "".join(("Traceback (most recent call last):\n", _stack(frames), *last))


def _stack(frames: TracebackType) -> str:
    """The lines of a stack. To read and mark its source is most of what a failure costs, and thousands fail at one place."""
    following: TracebackType | None = frames
    places = []
    while following:
        places.append((following.tb_frame.f_code, following.tb_lasti))
        following = following.tb_next
    key = tuple(places)
    lines = _stacks.get(key)
    if lines is None:
        if len(_stacks) >= _MOST_STACKS:
            _stacks.clear()
        lines = _stacks[key] = "".join(traceback.format_tb(frames))
    return lines


def _seconds(after: object) -> float | None:
    """The delay a handler asked for, if it is one."""
    try:
        return None if after is None else float(after)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MEMORY_UNIT

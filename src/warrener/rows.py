"""Rows of results as they are read, and what is counted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from warrener.codec import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import Sequence


QUIET: Final = 10
"""A follower that was told so often in a row that nothing more is there has all rows, whatever the broker counts: RabbitMQ
counts among a stream's messages what it writes there itself."""


class _Row(msgspec.Struct):
    task_id: str
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1
    wording: str = ""


class _Whole(_Row, forbid_unknown_fields=True, gc=False):
    """What a worker writes, with all that is in it."""

    type: Any = None
    status: Any = None
    value: Any = None
    worker: Any = None
    started_at: Any = None
    processed_at: Any = None
    duration: Any = None
    history: Any = None
    origin: Any = None
    trace_id: Any = None


class Row(NamedTuple):
    """What must be known of a row, and the row as it came."""

    task_id: str
    wording: str
    attempts: int
    line: bytes


_rows = msgspec.json.Decoder(_Row)
_whole = msgspec.json.Decoder(_Whole)
_anything = msgspec.json.Decoder()


class Summary(msgspec.Struct):
    """What was collected.

    Args:
        cancelled: Tasks that wait on a queue that is cancelled, or were not published since it is.
        missing: Tasks that have neither a result nor a failure yet; None where this user may not see them.
        unpublished: What is not published, in a sentence; empty where all is, or the journal does not tell.
        duplicates: Rows left out because their task had one already.
        superseded: Rows left out because their task was worded anew since, and has an end as it is worded now.
        strange: Rows left out because they are no results; somebody else wrote them.
        by_reason: Failed tasks by reason.
        retries: Attempts beyond the first, of all tasks that ended.
    """

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    missing: int | None = 0
    unpublished: str = ""
    duplicates: int = 0
    superseded: int = 0
    strange: int = 0
    by_reason: dict[str, int] = {}
    retries: int = 0

    def __str__(self) -> str:
        total = self.completed + self.failed + self.cancelled + (self.missing or 0)
        cancelled = f"{self.cancelled:,} cancelled, " if self.cancelled else ""
        missing = "others not for this user to see" if self.missing is None else f"{self.missing:,} missing"
        dropped = f"{self.duplicates:,} duplicate row{'' if self.duplicates == 1 else 's'} dropped"
        earlier = f"; {self.superseded:,} left out of earlier wordings" if self.superseded else ""
        strange = f"; {self.strange:,} left out that no worker wrote" if self.strange else ""
        return (
            f"{total:,} task{'' if total == 1 else 's'}: {self.completed:,} completed, {self.failed:,} failed, "
            f"{cancelled}{missing}; {dropped}{earlier}{strange}"
        )


def readable_rows(batch: Sequence[bytes], summary: Summary) -> list[Row]:
    """The rows among what came; what is none is counted as strange."""
    rows = []
    for line in batch:
        if known := _known(line):
            rows.append(Row(known.task_id, known.wording, known.attempts, _in_one_line(line)))
        else:
            summary.strange += 1
    return rows


def _known(line: bytes) -> _Row | None:
    try:
        return _whole.decode(line)
    except NOT_JSON:
        pass
    try:
        known = _rows.decode(line)
        _anything.decode(line)  # what is not looked into above may be no JSON, too
    except NOT_JSON:
        return None
    return known


def _in_one_line(row: bytes) -> bytes:
    """The row without line breaks between its members, which would make several lines of it."""
    return msgspec.json.format(row, indent=-1) if b"\n" in row or b"\r" in row else row

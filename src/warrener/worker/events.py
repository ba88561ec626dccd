"""What a worker announces of each task it has settled. Whoever listens asks for as much of it as it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from warrener.brokers import Completed, Delayed, Delivery, Failed, Outcome
from warrener.codec import open_envelope
from warrener.errors import InvalidTask

if TYPE_CHECKING:
    from warrener.models import Reason

Kind = Literal["completed", "delayed", "failed"]
KINDS: Final[dict[type, Kind]] = {Completed: "completed", Delayed: "delayed", Failed: "failed"}
"""What became of a task: it is done, it comes again after a delay, or it failed for good."""

OnSettled = Callable[[Delivery, Outcome], None]
"""Told once of each outcome that goes to the broker, in the event loop. It must return at once, and may not raise."""


class Settled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attempt by which a task came to its outcome.

    Args:
        task_id: The task's id.
        type: Its type, empty where that cannot be read.
        outcome: What became of it.
        attempt: Which attempt that was; 0 where no handler ever had it.
        worker: Host and process; empty where it vanished without a word, or there was none.
        started_at: When it began, in seconds since the epoch.
        duration: Seconds it took.
        delay: Seconds after which the task comes again, if it does.
        reason: Why it failed for good, if it did.
        error: The type of what was raised, if anything was.
        message: What that said.
        trace_id: Of its trace, where there was one.
    """

    task_id: str
    type: str
    outcome: Kind
    attempt: int
    worker: str = ""
    started_at: float | None = None
    duration: float | None = None
    delay: float | None = None
    reason: Reason | None = None
    error: str = ""
    message: str = ""
    trace_id: str = ""


class _Row(msgspec.Struct):
    task_id: str
    type: str
    attempts: int
    worker: str
    started_at: float
    duration: float
    trace_id: str = ""


_rows: Final = msgspec.json.Decoder(_Row)


def settled(delivery: Delivery, outcome: Outcome) -> Settled:
    """What is to be said of a task that is settled."""
    if isinstance(outcome, Completed):
        row = _rows.decode(outcome.body)
        return Settled(
            row.task_id,
            row.type,
            "completed",
            row.attempts,
            row.worker,
            row.started_at,
            row.duration,
            trace_id=row.trace_id,
        )
    try:
        task = open_envelope(delivery.body, delivery.id, delivery.priority)
        task_id, kind = task.id, task.type
    except InvalidTask:
        task_id, kind = delivery.name, ""
    last = outcome.record.history[-1]
    return Settled(
        task_id,
        kind,
        KINDS[type(outcome)],
        last.number,
        last.worker,
        last.started_at,
        last.duration,
        outcome.delay / 1000 if isinstance(outcome, Delayed) else None,
        outcome.record.reason,
        last.error,
        last.message,
        last.trace_id,
    )

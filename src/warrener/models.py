"""What travels: tasks, their history, results and failures.

A task's body stays, byte for byte, as it was published; what happened to it travels beside the body in one `Record`, so
that a task in any language, valid or not, can be retried and inspected. `warrener.codec` writes and reads them.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, Literal

import msgspec

DEFAULT_PRIORITY: Final = 5
HIGHEST_PRIORITY: Final = 9
MAX_NAME_BYTES: Final = 255  # AMQP short strings, which carry ids, end here
KEPT_ATTEMPTS: Final = 10
MAX_TRACEBACK: Final = 4096
MAX_MESSAGE: Final = 1024
MAX_OUTPUT: Final = 4096
_WORKER_LOST: Final = "WorkerLost"

# Whatever a header says, it cannot be so many, nor so late that no calendar has it.
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
"""Since the epoch, or how long something took."""

Reason = Literal["permanent", "exhausted", "timed-out", "crashed", "invalid", "unknown-type", "cancelled"]


class Task(msgspec.Struct, frozen=True):
    """One piece of work.

    Args:
        id: Names the task for ever: one result row per id.
        type: Names the handler.
        data: The handler's arguments.
        priority: 0 to 9, higher first.
        origin: Where it comes from, for people: `tasks.jsonl:17`.
        wording: A digest of type and data, where its results must be told from those of an earlier wording
            (`warrener.wording`).
    """

    id: str
    type: str
    data: dict[str, Any] = {}
    priority: int = DEFAULT_PRIORITY
    origin: str = ""
    wording: str = ""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One delivery of a task to a handler that did not complete it.

    Args:
        number: 1 for the first attempt.
        error: The exception's type, or `TimedOut`, `Crashed`, `WorkerLost`.
        message: What the exception said, at most 1 KiB.
        worker: Host and process that ran it; empty where it vanished without a word.
        started_at: Seconds since the epoch.
        duration: Seconds.
        traceback: The last 4 KiB of it.
        output: The last 4 KiB of what it printed.
        trace_id: Of its trace, where there was one.
    """

    number: _Count
    error: str
    message: str = ""
    worker: str = ""
    started_at: Seconds | None = None
    duration: float | None = None
    traceback: str = ""
    output: str = ""
    trace_id: str = ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has happened to a task so far; it travels beside the task's body.

    Args:
        attempts: How many attempts there were since the task was published or replayed.
        lost: How many of them ended with their worker vanishing: these use up no retries.
        history: The last ten attempts, replays included.
        reason: Why the task failed for good; None while it has not.
        failed_at: When it did, in seconds since the epoch.
        ready_at: When its last delay was to end, in seconds since the epoch; None where it had none.
    """

    attempts: _Count = 0
    lost: _Count = 0
    history: tuple[Attempt, ...] = ()
    reason: Reason | None = None
    failed_at: Seconds | None = None
    ready_at: Seconds | None = None

    def add(self, attempt: Attempt) -> Record:
        """The record with one more failed attempt."""
        return msgspec.structs.replace(
            self, attempts=attempt.number, history=(*self.history, attempt)[-KEPT_ATTEMPTS:]
        )

    def add_lost(self, times: int) -> Record:
        """The record with attempts that vanished with their worker, as the broker counted them."""
        record = self
        for _ in range(times):
            record = record.add(
                Attempt(record.attempts + 1, _WORKER_LOST, "the worker or its connection vanished")
            )
        return msgspec.structs.replace(record, lost=self.lost + times)

    @property
    def was_lost_last(self) -> bool:
        """Whether nothing is known of this task since it vanished with a worker."""
        return bool(self.lost and self.history) and self.history[-1].error == _WORKER_LOST

    def fail(self, reason: Reason, failed_at: float | None = None) -> Record:
        """The record of a task that ends without a result, by default now."""
        return msgspec.structs.replace(self, reason=reason, failed_at=failed_at or time.time())

    def delay(self, milliseconds: int) -> Record:
        """The record of a task that comes again after so long."""
        return msgspec.structs.replace(self, ready_at=time.time() + milliseconds / 1000)

    def replay(self) -> Record:
        """The record of a failed task that begins anew: its history stays, its attempts do not count."""
        return Record(history=self.history)


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of the results.

    Args:
        task_id: The task's id.
        type: The task's type.
        value: What the handler returned, as JSON.
        attempts: The number of the attempt that completed.
        worker: Host and process that ran it.
        started_at: When that attempt began, in seconds since the epoch.
        processed_at: When it ended.
        duration: Seconds it took.
        history: The attempts that failed before, the last ten of them.
        origin: As the task's.
        wording: As the task's.
        trace_id: Of the attempt's trace, where there was one.
    """

    task_id: str
    type: str
    status: str
    value: msgspec.Raw
    attempts: int
    worker: str
    started_at: Seconds
    processed_at: Seconds
    duration: Seconds
    history: tuple[Attempt, ...] = ()
    origin: str = ""
    wording: str = ""
    trace_id: str = ""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task that ended without a result.

    Args:
        task_id: The task's id; one made up by Warrener where the message had none.
        type: The task's type, empty where it cannot be read.
        reason: Why it failed for good.
        error: The last attempt's error type.
        message: What that error said.
        attempts: How many attempts there were.
        failed_at: Seconds since the epoch.
        history: The last ten attempts.
        task: The task as published, where it is JSON.
        body_base64: The message as published, where it is not.
        origin: As the task's.
        wording: As the task's.
    """

    task_id: str
    type: str
    reason: Reason
    error: str
    message: str
    attempts: int
    failed_at: float | None
    history: tuple[Attempt, ...]
    task: Any = None
    body_base64: str | None = None
    origin: str = ""
    wording: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """A task as a worker reads it: checked, its data not yet decoded."""

    type: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    priority: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_PRIORITY)] | None = None
    origin: Annotated[str, msgspec.Meta(max_length=MAX_NAME_BYTES)] = ""
    wording: Annotated[str, msgspec.Meta(max_length=MAX_NAME_BYTES)] = ""

"""What becomes of a task after an attempt: a result, another attempt after a delay, or a failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers.protocol import Completed, Delayed, Failed
from warrener.codec import decode_record, encode, open_envelope
from warrener.errors import InvalidTask
from warrener.models import MAX_MESSAGE, Attempt, Result
from warrener.retry import nearest
from warrener.text import cut, readable
from warrener.trace_context import trace_id
from warrener.worker.manifest import no_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers import Broker, Delivery, Outcome
    from warrener.models import Envelope, Reason, Record
    from warrener.worker.frames import Report
    from warrener.worker.manifest import AppManifest, HandlerRules
    from warrener.worker.pool import RunningAttempt

LOSSES: Final = 5
"""A task that was lost with its worker more often than that ends as `crashed`."""
_GIVES_WAY: Final = 10.0  # seconds for which one that was lost with two workers lets others go first


class Outcomes:
    """The rules of an app on a queue.

    Args:
        manifest: Tells what the app is, which may be another one once it was imported again.
        delays: The queue's delays, in milliseconds; without any nothing is tried again.
        broker: It learns how many bytes it may be given only once it was given too many.
    """

    def __init__(self, manifest: Callable[[], AppManifest], delays: Sequence[int], broker: Broker) -> None:
        self._manifest = manifest
        self._delays = delays
        self._broker = broker

    def of_report(
        self, task: Envelope, record: Record, report: Report, worker: str, output: bytes = b""
    ) -> Outcome:
        """What a child's report comes to.

        Args:
            task: The task that was tried.
            record: What had happened to it before.
            report: How its handler ended.
            worker: Where it ran.
            output: The end of what it printed.
        """
        number, trace = record.attempts + 1, report.trace and trace_id(report.trace)
        if report.kind == "completed":
            row = encode(
                Result(
                    task.id,
                    task.type,
                    "completed",
                    msgspec.Raw(report.value),
                    number,
                    worker,
                    report.started_at,
                    report.started_at + report.duration,
                    report.duration,
                    record.history,
                    task.origin,
                    task.wording,
                    trace,
                )
            )
            if len(row) <= self._broker.max_body:
                return Completed(row)
            message = f"the result has {len(row)} bytes; the broker takes {self._broker.max_body} at most"
            returned = cut(report.value[:MAX_MESSAGE].decode("utf-8", "ignore"), MAX_MESSAGE)
            attempt = Attempt(
                number,
                "ResultTooLarge",
                message,
                worker,
                report.started_at,
                report.duration,
                f"The handler returned {returned}",
                readable(output),
                trace,
            )
            return self.of_failure(task, record, attempt, "permanent")
        if report.kind == "invalid":
            return refused(record, "invalid", report.message)
        if report.kind == "unknown-type":  # since the child imported a newer app
            return refused(record, "unknown-type", report.message)
        attempt = Attempt(
            number,
            report.error,
            report.message,
            worker,
            report.started_at,
            report.duration,
            report.traceback,
            readable(output),
            trace,
        )
        reason: Reason = "permanent" if report.kind == "permanent" else "exhausted"
        return self.of_failure(task, record, attempt, reason, after=report.after)

    def of_failure(
        self,
        task: Envelope,
        record: Record,
        attempt: Attempt,
        reason: Reason,
        *,
        after: float | None = None,
    ) -> Outcome:
        """What an attempt that failed comes to.

        Args:
            task: The task that was tried.
            record: What had happened to it before.
            attempt: The one that failed.
            reason: Why the task fails if it is not tried again.
            after: The delay that the handler asked for, in seconds; otherwise its policy says.
        """
        record = record.add(attempt)
        rules = self._manifest().rules(task.type)  # there are none for what only the former app had
        delay = rules.policy.delay(record.attempts - record.lost) if rules and reason != "permanent" else None
        if delay is None or not self._delays:
            return Failed(record.fail(reason))
        wanted = delay if after is None else after * 1000
        chosen = nearest(wanted, self._delays)
        return Delayed(chosen, record.delay(chosen))

    def of_loss(self, record: Record) -> Outcome | None:
        """What a task comes to that was lost with its worker once more; None where it is tried again here and now.

        Args:
            record: What had happened to it, this loss included.
        """
        if record.lost > LOSSES:
            return Failed(record.fail("crashed"))
        # It is the first that each new worker would take, and the last: others have their turn before.
        delay = self.delay(_GIVES_WAY) if record.lost > 1 else None
        return None if delay is None else Delayed(delay, record.delay(delay))

    def delay(self, seconds: float) -> int | None:
        """The queue's retry delay that is nearest to so many seconds, in milliseconds; None where it has none."""
        return nearest(seconds * 1000, self._delays) if self._delays else None


def opened(delivery: Delivery, manifest: AppManifest) -> tuple[Envelope, HandlerRules] | Failed:
    """A delivery as a task and the rules of its handler, or what becomes of one that no handler can have."""
    try:
        task = open_envelope(delivery.body, delivery.id, delivery.priority)
    except InvalidTask as error:
        return refused(decode_record(delivery.record), "invalid", str(error))
    if rules := manifest.rules(task.type):
        return task, rules
    said = no_handler(task.type, manifest.handlers)
    return refused(decode_record(delivery.record), "unknown-type", said)


def cut_short(attempt: RunningAttempt, error: str, message: str, worker: str) -> Attempt:
    """What is known of an attempt whose process died before its handler could end."""
    duration = time.monotonic() - attempt.started
    number, output = attempt.record.attempts + 1, readable(attempt.output)
    began, trace = time.time() - duration, trace_id(attempt.delivery.trace)
    return Attempt(number, error, message, worker, began, duration, output=output, trace_id=trace)


def refused(record: Record, reason: Reason, message: str, error: str = "InvalidTask") -> Failed:
    """What becomes of a task that no handler ever had: the note in its history says why, and is no attempt."""
    note = Attempt(record.attempts, error, cut(message, MAX_MESSAGE))
    return Failed(record.add(note).fail(reason))

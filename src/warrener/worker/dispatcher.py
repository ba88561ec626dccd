"""From a delivery to an attempt to an outcome: what this worker has in its hands, and what becomes of it.

broker --on_delivery--> backlog --submit--> pool --on_report--> settle --> broker
^                  |
`---on_returned----'
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from warrener.brokers.protocol import Delayed, Failed
from warrener.codec import decode_record
from warrener.models import Attempt, Record
from warrener.worker.events import KINDS
from warrener.worker.outcomes import Outcomes, cut_short, opened, refused
from warrener.worker.pool import Owner, RunningAttempt
from warrener.worker.quarantine import Quarantine
from warrener.worker.redelivery import Redelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from warrener.brokers import Broker, Delivery, Outcome
    from warrener.brokers.protocol import Lost
    from warrener.models import Envelope, Reason
    from warrener.orders import Cancelled
    from warrener.worker.events import OnSettled
    from warrener.worker.frames import Report
    from warrener.worker.pool import Pool

# Seconds after which a task that could not be run alone here is tried by others.
_PASS_ON: Final = 30.0
_WEIGHT: Final = 0.1  # of a size in the mean of sizes
_NEW: Final = Record()


class Dispatcher(Owner):
    """Listens to the broker, and owns the pool. It decides nothing about when to take tasks.

    Args:
        broker: An open broker.
        pool: Not yet started.
        on_change: Told when there is something to do about the quarantine.
        on_report: Told after each report.
        on_cut: Told after each cut.
        on_settled: Told of each outcome.
    """

    def __init__(
        self,
        broker: Broker,
        pool: Pool,
        *,
        on_change: Callable[[], None],
        on_report: Callable[[], None],
        on_cut: Callable[[], None],
        on_settled: OnSettled | None = None,
    ) -> None:
        self.settled: dict[str, int] = {"completed": 0, "delayed": 0, "failed": 0}
        self.backlog: deque[RunningAttempt] = deque()
        self.quarantine = Quarantine()
        self.redelivery = Redelivery()
        self.outcomes = Outcomes(lambda: pool.manifest, [], broker)
        self.came = 0  # deliveries so far
        self.mean_task = self.mean_result = 0.0  # bytes of one of late
        self.has_seen_loss = False
        self.takes_nothing = False  # what still comes is returned
        self.is_stopping = False  # what waits does not begin
        self.is_held = False  # for now, by an order
        self.cancelled_types: Mapping[str, Cancelled] = {}
        self._broker = broker
        self._pool = pool
        self._on_change = on_change
        self._on_report = on_report
        self._on_cut = on_cut
        self._on_settled = on_settled
        self._key = 0
        self._submitting: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        pool.owner = self

    @property
    def held(self) -> int:
        """How many tasks are in this worker's hands."""
        return len(self.backlog) + len(self.quarantine.waiting) + self._pool.held

    def requeue_waiting(self) -> None:
        """Return all that has not begun; what children have of it follows."""
        self.requeue([*self.backlog, *self.quarantine])
        self.backlog.clear()
        self.quarantine.waiting.clear()
        self._pool.take_back()

    def requeue_all_but(self, count: int) -> None:
        """Return what has not begun here, but for the first so many: others may have a slot for it."""
        attempts = [*self.backlog]
        self.backlog = deque(attempts[:count])
        self.requeue(attempts[count:])

    def requeue(self, attempts: Sequence[RunningAttempt]) -> None:
        """Return tasks that did not run, or not to their end through no fault of theirs."""
        deliveries = [attempt.delivery for attempt in attempts if not self.redelivery.is_orphaned(attempt)]
        if deliveries:
            self._broker.requeue(deliveries)

    def pass_on_quarantined(self) -> None:
        """Let other workers have what waits to run alone, after a retry delay; where there is none, it stays here."""
        delay = self.outcomes.delay(_PASS_ON)
        if delay is None:
            return
        # By its record they see that it was lost. Of what is suspected here they would see nothing.
        for attempt in [attempt for attempt in self.quarantine if attempt.record.was_lost_last]:
            self.quarantine.waiting.remove(attempt)
            self._broker.settle(attempt.delivery, Delayed(delay, attempt.record.delay(delay)))

    def end_cancelled(self) -> None:
        """End what waits and is of a type that is cancelled."""
        for waiting in (self.backlog, self.quarantine.waiting):
            for attempt in [attempt for attempt in waiting if attempt.task.type in self.cancelled_types]:
                waiting.remove(attempt)
                self._settle(attempt.delivery, self._cancelled(attempt.task, attempt.record))

    def submit(self) -> None:
        """Give what waits to children that have room, unless the quarantine, an order or a stop forbids it."""
        self._submitting = None
        if not (self.quarantine.holds_up or self.is_stopping or self.is_held):
            self._pool.submit(self.backlog)

    # --- told by the broker

    def on_delivery(self, delivery: Delivery) -> None:
        """A task has come: find its handler, and put it in line."""
        self.came += 1
        self.mean_task += (len(delivery.body) - self.mean_task) * _WEIGHT
        if delivery.is_again and self._is_known(delivery):
            return
        found = opened(delivery, self._pool.manifest)
        if isinstance(found, Failed):
            self._settle(delivery, found)
            return
        task, rules = found
        if self.takes_nothing:
            self._broker.requeue([delivery])
            return
        record = decode_record(delivery.record) if delivery.record else _NEW
        if task.type in self.cancelled_types:
            self._settle(delivery, self._cancelled(task, record))
            return
        if delivery.lost:
            self.has_seen_loss = True
            if (lost := delivery.lost - delivery.explained) > 0:
                record = record.add_lost(lost)
                if outcome := self.outcomes.of_loss(record):
                    self._settle(delivery, outcome)
                    return
        self._key += 1
        attempt = RunningAttempt(self._key, delivery, task, record, rules.timeout)
        if record.was_lost_last:
            self.quarantine.waiting.append(attempt)
            self._on_change()
            return
        self.backlog.append(attempt)
        self._submit_soon()

    def on_lost(self, settled: Sequence[Lost]) -> None:
        """The connection is gone: forget what did not start, keep what runs for when it comes back."""
        self._on_cut()
        self.has_seen_loss = True
        waiting = [attempt.delivery for attempt in (*self.backlog, *self.quarantine)]
        self.redelivery.add_cut(settled, waiting, self._pool.unfinished)
        self.backlog.clear()
        self.quarantine.waiting.clear()
        self._pool.take_back()

    def _is_known(self, delivery: Delivery) -> bool:
        """Whether this delivery needs no attempt: its task runs on here, or its outcome is known."""
        known = self.redelivery.recall(delivery, self._broker.max_body)
        if known is None:
            return False
        if known.is_confirmed:
            self._broker.acknowledge(delivery)
        elif known.attempt and known.outcome:
            self._settle(delivery, known.outcome)
        elif known.outcome:  # which was counted when it was settled first
            self._broker.settle(delivery, known.outcome)
        elif known.attempt:
            known.attempt.delivery = delivery
        return True

    def _submit_soon(self) -> None:
        # Once for all that this turn of the loop brings: each message to a child costs as much as a task.
        if self._submitting is None:
            self._submitting = self._loop.call_soon(self.submit)

    # --- told by the pool

    def on_report(self, attempt: RunningAttempt, report: Report, worker: str) -> None:
        """A handler has ended: settle. One that has left since this worker stops had no attempt."""
        if report.kind == "stopped":
            self.on_returned([attempt])
            return
        self.mean_result += (len(report.value) - self.mean_result) * _WEIGHT
        if attempt is self.quarantine.running:
            self._end_quarantine(attempt)
        if report.trace:
            attempt.delivery.span = report.trace
        elif attempt.delivery.trace:
            report = replace(report, trace=attempt.delivery.trace)
        outcome = self.outcomes.of_report(attempt.task, attempt.record, report, worker, attempt.output)
        self._finish(attempt, outcome)
        if self.backlog:
            self._submit_soon()
        self._on_report()

    def on_returned(self, attempts: Sequence[RunningAttempt]) -> None:
        """These did not run: they go first when there is room."""
        for attempt in reversed(attempts):
            attempt.end_log()
            was_alone = self._end_quarantine(attempt)
            if self.redelivery.is_orphaned(attempt):
                self.redelivery.abandon(attempt)
            elif was_alone:
                self.quarantine.waiting.appendleft(attempt)
            else:
                self.backlog.appendleft(attempt)
        if self.cancelled_types:
            self.end_cancelled()
        if self.takes_nothing:
            self.requeue_waiting()
        self.submit()

    def on_crashed(self, attempts: Sequence[RunningAttempt], how: str, worker: str) -> None:
        """A child died: of one task running in it we know, of several each must be tried alone."""
        if len(attempts) > 1:
            self._suspect(attempts)
            return
        (attempt,) = attempts
        self._end_quarantine(attempt)
        self._fail(attempt, cut_short(attempt, "Crashed", how, worker), "crashed")
        self.submit()

    def on_orphaned(self, attempts: Sequence[RunningAttempt]) -> None:
        """The children were killed from outside, or by what one of them ran: each must be tried alone."""
        alone = self.quarantine.running
        if alone and alone in attempts:
            self.on_crashed([alone], "the process that its own process comes from was killed", "")
            attempts = [attempt for attempt in attempts if attempt is not alone]
        self._suspect(attempts)

    def on_timed_out(self, attempt: RunningAttempt, worker: str) -> None:
        """An attempt was killed at its time limit."""
        self._end_quarantine(attempt)
        message = f"killed at its time limit of {attempt.timeout:g} s"
        self._fail(attempt, cut_short(attempt, "TimedOut", message, worker), "timed-out")

    def _suspect(self, attempts: Sequence[RunningAttempt]) -> None:
        for attempt in attempts:
            attempt.end_log()
            if self.redelivery.is_orphaned(attempt):
                self.redelivery.abandon(attempt)
            else:
                self.quarantine.waiting.append(attempt)
        self._on_change()

    def _end_quarantine(self, attempt: RunningAttempt) -> bool:
        was_alone = self.quarantine.end(attempt)
        if was_alone:
            self._on_change()
        return was_alone

    # --- what becomes of a task

    def _fail(self, attempt: RunningAttempt, last: Attempt, reason: Reason) -> None:
        self._finish(attempt, self.outcomes.of_failure(attempt.task, attempt.record, last, reason))

    def _cancelled(self, task: Envelope, record: Record) -> Failed:
        by = self.cancelled_types[task.type].by
        return refused(record, "cancelled", f"type {task.type!r} was cancelled by {by}", "Cancelled")

    def _finish(self, attempt: RunningAttempt, outcome: Outcome) -> None:
        if attempt.log:
            attempt.end_log(KINDS[type(outcome)])
        if self.redelivery.is_orphaned(attempt):
            self.redelivery.end(attempt, outcome)  # for when its delivery comes back
        else:
            self._settle(attempt.delivery, outcome)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self.settled[KINDS[type(outcome)]] += 1
        self._broker.settle(delivery, outcome)
        if self._on_settled:
            self._on_settled(delivery, outcome)

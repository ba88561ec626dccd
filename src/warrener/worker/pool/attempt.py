"""One attempt at one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from warrener.brokers import Delivery
    from warrener.models import Envelope, Record
    from warrener.worker.log_keeper import KeptLog


class RunningAttempt(msgspec.Struct, eq=False):
    """An attempt in this worker's hands, from its delivery until it is settled.

    Args:
        key: The worker's own number for it.
        delivery: What it settles; another one after that was lost and came back.
        task: What is tried.
        record: What had happened to the task before.
        timeout: Seconds that it may run; None for any.
        started: On the monotonic clock.
        deadline: On the monotonic clock; None where it has none.
        was_alone: In quarantine, and out of it while it ran.
        log: Once it has printed something, where that is kept.
        output: The end of what it has printed, once it has ended.
        progress: As it was reported last.
    """

    key: int
    delivery: Delivery
    task: Envelope
    record: Record
    timeout: float | None
    started: float = 0.0
    deadline: float | None = None
    was_alone: bool = False
    log: KeptLog | None = None
    output: bytes = b""
    progress: tuple[float, float | None] | None = None

    def start(self, now: float) -> None:
        """It runs from now on."""
        self.started = now
        self.deadline = now + self.timeout if self.timeout else None

    def end_log(self, outcome: str = "") -> None:
        """It has ended; what it has printed is kept to its end, where it is kept.

        Args:
            outcome: As `KeptLog.end` takes it.
        """
        if self.log:
            self.log.end(outcome)
            self.log = None

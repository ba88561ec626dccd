"""One attempt at one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.brokers import Delivery
    from warrener.models import Envelope, Record
    from warrener.worker.log_keeper import KeptLog


class RunningAttempt:
    """An attempt in this worker's hands, from its delivery until it is settled.

    Args:
        key: The worker's own number for it.
        delivery: What it settles; another one after that was lost and came back.
        task: What is tried.
        record: What had happened to the task before.
        timeout: Seconds that it may run; None for any.
    """

    __slots__ = (
        "deadline",
        "delivery",
        "key",
        "log",
        "output",
        "progress",
        "record",
        "started",
        "task",
        "timeout",
        "was_alone",
    )

    def __init__(
        self, key: int, delivery: Delivery, task: Envelope, record: Record, timeout: float | None
    ) -> None:
        self.key = key
        self.delivery = delivery
        self.task = task
        self.record = record
        self.timeout = timeout
        self.started = 0.0  # on the monotonic clock
        self.deadline: float | None = None
        self.was_alone = False  # in quarantine, and out of it while it ran
        self.log: KeptLog | None = None  # once it has printed something, where that is kept
        self.output = b""  # the end of what it has printed, once it has ended
        self.progress: tuple[float, float | None] | None = None  # as it was reported last

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

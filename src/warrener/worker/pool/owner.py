"""Whom a pool tells what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.worker.frames import Report
    from warrener.worker.pool.attempt import RunningAttempt


class Owner:
    """Whom the pool tells what happened. This one does not mind."""

    def on_report(self, attempt: RunningAttempt, report: Report, worker: str) -> None:
        """A handler has ended."""

    def on_returned(self, attempts: Sequence[RunningAttempt]) -> None:
        """These did not run, through no fault of theirs; with none of them, there may be room again."""

    def on_crashed(self, attempts: Sequence[RunningAttempt], how: str, worker: str) -> None:
        """A child died while it ran these; of several, nobody knows which one killed it."""

    def on_orphaned(self, attempts: Sequence[RunningAttempt]) -> None:
        """The process that the children come from was killed, and they with it, while they ran these."""

    def on_timed_out(self, attempt: RunningAttempt, worker: str) -> None:
        """An attempt was killed at its time limit."""

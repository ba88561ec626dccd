"""The attempt that runs, for handlers and middleware that ask for it."""

from __future__ import annotations

from time import monotonic  # as it is now: handlers may replace it
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Attempt:
    """The attempt that runs: a parameter with this annotation is given it.

    ```python
    @app.task(timeout=3600, soft_timeout=3500)
    def train(epochs: int, attempt: Attempt) -> float:
        for epoch in range(epochs):
            if attempt.is_stopping:
                save(epoch)
                raise Stopped  # the task is requeued, and this was no attempt
            ...
    ```

    For a handler that is called by hand, as in a test, make one with the number that it is to have.

    Args:
        number: 1 for the task's first attempt.
        timeout: Seconds until it is killed; None where it may run for ever.
        soft_timeout: Seconds until it is late; None for never.
        is_stopping: Asked whether a stop was asked for.
    """

    __slots__ = ("_is_stopping", "_soft_timeout", "_started", "_timeout", "number")

    def __init__(
        self,
        number: int = 1,
        *,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.number = number
        """1 for the task's first attempt."""
        self._started = monotonic()
        self._timeout = timeout
        self._soft_timeout = soft_timeout
        self._is_stopping = is_stopping

    @property
    def time_left(self) -> float | None:
        """Seconds until its time limit kills it, whatever is done to the clock; None where it may run for ever."""
        return None if self._timeout is None else max(0.0, self._started + self._timeout - monotonic())

    @property
    def is_late(self) -> bool:
        """Whether its soft time limit has passed."""
        return self._soft_timeout is not None and monotonic() - self._started >= self._soft_timeout

    @property
    def is_stopping(self) -> bool:
        """Whether its worker was told to stop, and kills it at the end of its grace. `raise Stopped` to leave before."""
        return self._is_stopping()

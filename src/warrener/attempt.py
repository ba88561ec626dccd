"""The attempt that runs, for handlers and middleware that ask for it."""

from __future__ import annotations

from math import isfinite
from time import monotonic  # as it is now: handlers may replace it
from typing import TYPE_CHECKING, Final, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST: Final = 2**63 - 1  # what MessagePack carries


class Attempt:
    """The attempt that runs: a parameter with this annotation is given it.

    ```python
    @app.task(timeout=3600, soft_timeout=3500)
    def train(epochs: int, attempt: Attempt) -> float:
        for epoch in range(epochs):
            if attempt.is_stopping:
                save(epoch)
                raise Stopped  # the task is requeued, and this was no attempt
            attempt.progress(epoch, epochs)
            ...
    ```

    For a handler that is called by hand, as in a test, make one with the number that it is to have.

    Args:
        number: 1 for the task's first attempt.
        timeout: Seconds until it is killed; None where it may run for ever.
        soft_timeout: Seconds until it is late; None for never.
        is_stopping: Asked whether a stop was asked for.
    """

    __slots__ = (
        "_is_stopping",
        "_soft_timeout",
        "_started",
        "_timeout",
        "home",
        "number",
        "ready_at",
        "reported",
        "span",
        "trace_context",
    )

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
        self.reported: tuple[float, float | None] | None = None
        """What `progress` was told last; None where it was told nothing."""
        self.trace_context = ""
        """The W3C trace context that its task was published with: `traceparent`, and after a space `tracestate`."""
        self.ready_at: float | None = None
        """Since when a task with a trace could have begun, in seconds since the epoch; None where nobody knows."""
        self.span = ""
        """The context of the span that is made of it, as `trace_context`; its row names the trace. `warrener.otel` sets it."""
        self.home = ("warrener", "")
        """The kind of its broker, and its queue."""
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

    def progress(
        self, done: SupportsIndex | SupportsFloat, total: SupportsIndex | SupportsFloat | None = None
    ) -> None:
        """Say how far it is: `warrener status` shows it, a few seconds late.

        It only notes that, so it costs half a microsecond and may be called as often as one likes, from any thread or
        coroutine of the attempt; the last call counts. Nothing of it is kept with the task.

        Args:
            done: So much is done, in whatever unit.
            total: Of so much; None where nobody knows.

        Raises:
            TypeError: One of them is no number.
            ValueError: One of them is negative, infinite, not a number, or beyond 2**63 - 1.
        """
        if type(done) is int and type(total) is int and 0 <= done <= _MOST and 0 <= total <= _MOST:
            self.reported = done, total
        else:
            self.reported = _count("done", done), None if total is None else _count("total", total)


def _count(name: str, value: object) -> float:
    if type(value) is int or type(value) is float:
        number: float = value
    elif hasattr(value, "__index__"):  # whole numbers, those of NumPy too
        number = value.__index__()
    elif hasattr(value, "__float__"):
        number = float(value)
    else:
        raise TypeError(f"progress takes numbers, and {name} is of type {type(value).__name__}")
    if not (number <= _MOST if isinstance(number, int) else isfinite(number)) or number < 0:
        raise ValueError(f"progress takes numbers from 0 to 2**63 - 1, and {name} is {str(value)[:40]}")
    return number

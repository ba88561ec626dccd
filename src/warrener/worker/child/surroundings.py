"""What is around the attempts in one process: what lifespans have yielded, middleware, limits, a stop."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from warrener.attempt import Attempt
from warrener.models import Task
from warrener.worker.child.middleware import within
from warrener.worker.child.reports import encoded
from warrener.worker.child.soft_limit import alarm, in_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from warrener.handler import Handler
    from warrener.hooks import Middleware
    from warrener.worker.frames import Report, WorkItem


class Surroundings:
    """Those of one process.

    Args:
        middlewares: The first is outermost.
        resources: What lifespans have yielded, by type; there once they are entered.
        say: Told a sentence for people.
        has_alarm: Whether plain handlers run in the main thread, one at a time, where a signal can reach them.
        home: See `Runnable`.
    """

    def __init__(
        self,
        middlewares: Sequence[Middleware],
        resources: Mapping[Any, object],
        say: Callable[[str], None],
        *,
        has_alarm: bool = False,
        home: tuple[str, str] = ("warrener", ""),
    ) -> None:
        self.is_stopping = False
        self.middlewares = middlewares
        self.is_async = any(middleware.is_async for middleware in middlewares)
        """Whether they need an event loop."""
        self._resources = resources
        self._say = say
        self._has_alarm = has_alarm
        self._home = home
        self.traces: dict[int, str] = {}
        """The contexts of the spans of attempts that have just ended, by the work item's key."""
        self._said: set[str] = set()
        self._attempts: dict[int, Attempt] = {}  # that run, by the work item's key

    @property
    def reported(self) -> dict[int, tuple[float, float | None]]:
        """How far the attempts are that say so, by the work item's key; to be asked from any thread."""
        attempts = self._attempts.copy()  # at once, whatever other threads begin and end
        return {key: attempt.reported for key, attempt in attempts.items() if attempt.reported}

    async def run(
        self,
        handler: Handler,
        item: WorkItem,
        arguments: dict[str, Any],
        max_result: int,
        elsewhere: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> bytes:
        """Call a handler with all that is around it; what it returns, encoded.

        Args:
            handler: Of the task's type.
            item: The task.
            arguments: Its data.
            max_result: As `perform` takes it.
            elsewhere: Where a plain handler runs, if not here.
        """
        attempt = Attempt(
            item.attempt,
            timeout=handler.timeout,
            soft_timeout=handler.soft_timeout,
            is_stopping=lambda: self.is_stopping,
        )
        attempt.trace_context, attempt.ready_at, attempt.home = item.trace, item.ready_at, self._home
        arguments |= {name: self._given(kind, attempt, item) for name, kind in handler.asks.items()}

        async def call() -> tuple[object, bytes]:
            value = await self._call(handler, partial(handler.function, **arguments), elsewhere)
            return value, encoded(value, max_result)

        def given(middleware: Middleware) -> dict[str, object]:
            return {name: self._given(kind, attempt, item) for name, kind in middleware.asks.items()}

        self._attempts[item.key] = attempt
        try:
            return await within(self.middlewares, given, call, self._say_once)
        finally:
            del self._attempts[item.key]
            if attempt.span:
                self.traces[item.key] = attempt.span

    def traced(self, report: Report) -> Report:
        """The report of an attempt with the context of its span, where it was one."""
        found = self.traces.pop(report.key, "")
        return replace(report, trace=found) if found else report

    async def _call(
        self,
        handler: Handler,
        function: Callable[[], Any],
        elsewhere: Callable[[Callable[[], Any]], Awaitable[Any]] | None,
    ) -> Any:
        soft = handler.soft_timeout
        if handler.is_async:
            return await (function() if soft is None else in_time(soft, function))
        if elsewhere:
            return await elsewhere(function)
        with alarm(soft) if soft is not None and self._has_alarm else nullcontext():
            return function()

    def _given(self, kind: Any, attempt: Attempt, item: WorkItem) -> object:
        if kind is Attempt:
            return attempt
        if kind is Task:
            return Task(item.id, item.type, msgspec.json.decode(item.data), item.priority)
        return self._resources[kind]

    def _say_once(self, middleware: str, what: str) -> None:
        # A million tasks may meet the same.
        if middleware not in self._said:
            self._said.add(middleware)
            self._say(f"middleware {middleware!r} {what} (said once in each process)")

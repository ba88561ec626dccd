"""One attempt: a task's data is bound to its handler, the handler called, and how that ended told."""

from __future__ import annotations

from time import perf_counter, time  # as they are now: handlers may replace them
from typing import TYPE_CHECKING, Any

from warrener.errors import InvalidTask, Stopped
from warrener.worker.child.at_once import at_once
from warrener.worker.child.reports import completed, encoded, failed, invalid, stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.handler import Handler
    from warrener.worker.child.surroundings import Surroundings
    from warrener.worker.frames import Report, WorkItem

_Passing = type[BaseException] | tuple[type[BaseException], ...]


def perform(
    handler: Handler,
    item: WorkItem,
    max_result: int,
    around: Surroundings,
    *,
    passing: _Passing = (),
) -> Report:
    """Call a plain handler.

    Args:
        handler: Of the task's type.
        item: The task.
        max_result: What it returns may have so many bytes as JSON.
        around: What is around it.
        passing: Exceptions that end no attempt, but are raised.
    """
    started_at, start = time(), perf_counter()
    try:
        arguments = handler.bind(item.id, item.type, item.priority, item.data)
    except InvalidTask as error:  # not of the handler, whose own is a failed attempt like any other
        return invalid(item, started_at, perf_counter() - start, error)
    try:
        if handler.is_bare and not around.middlewares:
            body = encoded(handler.function(**arguments), max_result)
        else:
            body = at_once(around.run(handler, item, arguments, max_result))
        return completed(item, started_at, perf_counter() - start, body)
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its attempt's end
        if around.is_stopping and isinstance(error, Stopped):
            return stopped(item, started_at, perf_counter() - start)
        return failed(item, handler, started_at, perf_counter() - start, error)


async def perform_async(
    handler: Handler,
    item: WorkItem,
    max_result: int,
    around: Surroundings,
    *,
    elsewhere: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    passing: _Passing = (),
) -> Report:
    """Call an `async` handler, or a plain one within middleware that is `async`.

    Args: as `perform`, and
        elsewhere: Where a plain handler runs; by default here.
    """
    started_at, start = time(), perf_counter()
    try:
        arguments = handler.bind(item.id, item.type, item.priority, item.data)
    except InvalidTask as error:
        return invalid(item, started_at, perf_counter() - start, error)
    try:
        if handler.is_bare and not around.middlewares:
            body = encoded(await handler.function(**arguments), max_result)
        else:
            body = await around.run(handler, item, arguments, max_result, elsewhere)
        return completed(item, started_at, perf_counter() - start, body)
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its attempt's end
        if around.is_stopping and isinstance(error, Stopped):
            return stopped(item, started_at, perf_counter() - start)
        return failed(item, handler, started_at, perf_counter() - start, error)

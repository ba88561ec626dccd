"""One attempt: a task's data is bound to its handler, the handler called, and how that ended told."""

from __future__ import annotations

from time import perf_counter, time  # as they are now: handlers may replace them
from typing import TYPE_CHECKING, Any

from warrener.errors import InvalidTask
from warrener.worker.child.reports import completed, encoded, failed, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.handler import Handler
    from warrener.worker.frames import Report, WorkItem

_Passing = type[BaseException] | tuple[type[BaseException], ...]


def perform(
    handler: Handler,
    item: WorkItem,
    max_result: int,
    resources: Mapping[Any, object],
    *,
    passing: _Passing = (),
) -> Report:
    """Call a plain handler.

    Args:
        handler: Of the task's type.
        item: The task.
        max_result: What it returns may have so many bytes as JSON.
        resources: What the app's lifespans have yielded, by type.
        passing: Exceptions that end no attempt, but are raised.
    """
    started_at, start = time(), perf_counter()
    try:
        arguments = handler.bind(item.id, item.type, item.priority, item.data)
    except InvalidTask as error:  # not of the handler, whose own is a failed attempt like any other
        return invalid(item, started_at, perf_counter() - start, error)
    if handler.asks:
        arguments |= {name: resources[kind] for name, kind in handler.asks.items()}
    try:
        value = handler.function(**arguments)
        return completed(item, started_at, perf_counter() - start, encoded(value, max_result))
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its attempt's end
        return failed(item, handler, started_at, perf_counter() - start, error)


async def perform_async(
    handler: Handler,
    item: WorkItem,
    max_result: int,
    resources: Mapping[Any, object],
    *,
    passing: _Passing = (),
) -> Report:
    """Call an `async` handler. Args: as `perform`."""
    started_at, start = time(), perf_counter()
    try:
        arguments = handler.bind(item.id, item.type, item.priority, item.data)
    except InvalidTask as error:
        return invalid(item, started_at, perf_counter() - start, error)
    if handler.asks:
        arguments |= {name: resources[kind] for name, kind in handler.asks.items()}
    try:
        value = await handler.function(**arguments)
        return completed(item, started_at, perf_counter() - start, encoded(value, max_result))
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its attempt's end
        return failed(item, handler, started_at, perf_counter() - start, error)

"""Warren: a batch work queue. A file of tasks in, one result row per task out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren.app import App
from warren.errors import PermanentError, TransientError, WarrenError
from warren.tasks import Task

if TYPE_CHECKING:
    from warren.collector import results
    from warren.publisher import Publisher, publish

__all__ = [
    "App",
    "PermanentError",
    "Publisher",
    "Task",
    "TransientError",
    "WarrenError",
    "publish",
    "results",
]


def __getattr__(name: str) -> Any:
    # What talks to brokers is loaded when it is first used: a worker's children never need it.
    if name in ("Publisher", "publish"):
        from warren import publisher

        return getattr(publisher, name)
    if name == "results":
        from warren import collector

        return collector.results
    raise AttributeError(f"module 'warren' has no attribute {name!r}")

"""Warrener: a batch work queue. A file of tasks in, one result row per task out."""

from __future__ import annotations

from warrener.own_imports import OwnImports  # before anything else

# isort: split

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from warrener.api.async_batch import AsyncBatch
    from warrener.api.batch import Batch
    from warrener.api.calls import map, run  # noqa: A004 - it is `warrener.map`
    from warrener.api.rows import Result
    from warrener.app import App
    from warrener.attempt import Attempt
    from warrener.collector import results
    from warrener.errors import PermanentError, SoftTimeout, Stopped, TransientError, WarrenerError
    from warrener.models import Failure, Task
    from warrener.monitor import Status
    from warrener.publisher import BlockingPublisher, Publisher, publish
    from warrener.rows import Summary

__all__ = [
    "App",
    "AsyncBatch",
    "Attempt",
    "Batch",
    "BlockingPublisher",
    "Failure",
    "PermanentError",
    "Publisher",
    "Result",
    "SoftTimeout",
    "Status",
    "Stopped",
    "Summary",
    "Task",
    "TransientError",
    "WarrenerError",
    "map",
    "publish",
    "results",
    "run",
]

__version__: str

_HOMES: Final = {
    "App": "app",
    "AsyncBatch": "api.async_batch",
    "Attempt": "attempt",
    "Batch": "api.batch",
    "BlockingPublisher": "publisher",
    "Failure": "models",
    "PermanentError": "errors",
    "Publisher": "publisher",
    "Result": "api.rows",
    "SoftTimeout": "errors",
    "Status": "monitor",
    "Stopped": "errors",
    "Summary": "rows",
    "Task": "models",
    "TransientError": "errors",
    "WarrenerError": "errors",
    "map": "api.calls",
    "publish": "publisher",
    "results": "collector",
    "run": "api.calls",
}


def __getattr__(name: str) -> Any:
    # Loaded when it is first used: a worker's children need nothing that talks to brokers, `--help` nothing at all.
    if home := _HOMES.get(name):
        with OwnImports():
            return getattr(import_module(f"warrener.{home}"), name)
    if name == "__version__":
        from warrener.version import VERSION

        return VERSION
    raise AttributeError(f"module 'warrener' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

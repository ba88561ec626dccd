"""Warren: a batch work queue. A file of tasks in, one result row per task out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from warren.app import App
    from warren.collector import results
    from warren.errors import PermanentError, TransientError, WarrenError
    from warren.publisher import Publisher, publish
    from warren.tasks import Task

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

_HOMES: Final = {
    "App": "app",
    "PermanentError": "errors",
    "Publisher": "publisher",
    "Task": "tasks",
    "TransientError": "errors",
    "WarrenError": "errors",
    "publish": "publisher",
    "results": "collector",
}


def __getattr__(name: str) -> Any:
    # Loaded when it is first used: a worker's children need nothing that talks to brokers, `--help` nothing at all.
    if home := _HOMES.get(name):
        return getattr(import_module(f"warren.{home}"), name)
    raise AttributeError(f"module 'warren' has no attribute {name!r}")

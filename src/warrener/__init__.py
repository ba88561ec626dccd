"""Warrener: a batch work queue. A file of tasks in, one result row per task out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from warrener.app import App
    from warrener.collector import results
    from warrener.errors import PermanentError, TransientError, WarrenerError
    from warrener.models import Task
    from warrener.publisher import Publisher, publish

__all__ = [
    "App",
    "PermanentError",
    "Publisher",
    "Task",
    "TransientError",
    "WarrenerError",
    "publish",
    "results",
]

__version__: str

_HOMES: Final = {
    "App": "app",
    "PermanentError": "errors",
    "Publisher": "publisher",
    "Task": "models",
    "TransientError": "errors",
    "WarrenerError": "errors",
    "publish": "publisher",
    "results": "collector",
}


def __getattr__(name: str) -> Any:
    # Loaded when it is first used: a worker's children need nothing that talks to brokers, `--help` nothing at all.
    if home := _HOMES.get(name):
        return getattr(import_module(f"warrener.{home}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("warrener")
    raise AttributeError(f"module 'warrener' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Warren: a batch work queue. A file of tasks in, one result row per task out."""

from warren.app import App
from warren.errors import PermanentError, TransientError, WarrenError
from warren.tasks import Task

__all__ = ["App", "PermanentError", "Task", "TransientError", "WarrenError"]

"""What children run, and what an app is: the first told to the process that imports it, the second by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from warrener.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.handler import Handler

ANY_TYPE: Final = "*"
"""The handler of every type that has none of its own."""


def no_handler(task_type: str, known: Iterable[str]) -> str:
    """What is said of a task whose type has no handler.

    Args:
        task_type: Its type.
        known: The types that there are.
    """
    return f"no handler for type {task_type!r}; this app has {', '.join(sorted(known))}"


class HandlerRules(msgspec.Struct, frozen=True):
    """What the supervisor must know of a handler; the function itself stays in the children.

    Args:
        retries: How many times a failed task is tried again.
        base: Seconds before the first retry.
        timeout: Seconds after which an attempt is killed.
        required: The parameters that a task must give; where there are none, the first that it may.
    """

    retries: int
    base: float
    timeout: float | None
    required: tuple[str, ...] = ()

    @property
    def policy(self) -> RetryPolicy:
        """When it is tried again."""
        return RetryPolicy(self.retries, self.base)


class AppManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an app is, told once it is imported.

    Args:
        handlers: Rules by type; the type `*` takes every other one.
        slots: How many tasks one child runs at a time.
        prepares: Whether a child says when it can take tasks, and has something to put away before it ends.
        warnings: What its import has left open that children cannot share.
        error: Why the app cannot be used.
    """

    handlers: dict[str, HandlerRules] = {}
    slots: int = 1
    prepares: bool = False
    warnings: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def of(cls, handlers: Iterable[Handler], slots: int = 1, *, prepares: bool = False) -> AppManifest:
        """The manifest of an app with these handlers."""
        rules = {
            handler.name: HandlerRules(
                handler.policy.retries, handler.policy.base, handler.timeout, handler.required
            )
            for handler in handlers
        }
        return cls(rules, slots, prepares)

    @property
    def policies(self) -> list[RetryPolicy]:
        """The retry policies of all handlers."""
        return [rules.policy for rules in self.handlers.values()]

    def rules(self, task_type: str) -> HandlerRules | None:
        """Those of the handler for a type; None where there is none."""
        return self.handlers.get(task_type) or self.handlers.get(ANY_TYPE)


class ChildSettings(msgspec.Struct, frozen=True):
    """What a child runs, and how.

    Args:
        app: As `warrener.loader.load` takes it; empty when a command is run instead.
        spawn: Whether each child is a process of its own that imports the app, instead of a fork of one that has.
        search: Directories in which modules are looked for besides the usual ones.
        command: A shell-quoted command line that performs every task.
        is_shell: Whether a shell runs it.
        threads: How many tasks a child runs at a time, in threads, where no handler is `async`.
        concurrency: How many it runs at a time where one is.
        timeout: Seconds, for a command.
        retries: For a command.
        max_result: A handler's return value may have so many bytes as JSON.
        system: See `Publisher.system`.
        queue: The queue whose tasks it runs.
    """

    app: str = ""
    command: str = ""
    threads: int = 1
    concurrency: int = 32
    timeout: float | None = None
    retries: int = 3
    max_result: int = 512 * 1024 * 1024
    search: tuple[str, ...] = ()
    spawn: bool = False
    is_shell: bool = False
    system: str = "warrener"
    queue: str = ""

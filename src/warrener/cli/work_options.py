"""What a worker runs, an app or a command, and how many at a time: options that all verbs with a worker share."""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from warrener.cli.ending import failed
from warrener.cli.options import (
    concurrency_option,
    keep_logs_option,
    processes_option,
    threads_option,
)
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_BYTES: Final = {"": 2**20, "M": 10**6, "MB": 10**6, "MI": 2**20, "MIB": 2**20} | {
    "G": 10**9,
    "GB": 10**9,
    "GI": 2**30,
    "GIB": 2**30,
}


def _mebibytes(text: str) -> int:
    """A size in MiB, or in the unit that it has, as so many whole MiB."""
    found = re.fullmatch(r"([0-9]{1,9}) ?([A-Za-z]{0,3})", text)
    size = int(found[1]) * _BYTES.get(found[2].upper(), 0) // 2**20 if found else 0
    if not size:
        raise click.BadParameter(f"{text!r} is no size: write it in MiB, as 500, or with a unit, as 2GiB.")
    return size


exec_option: Final = click.option(
    "--exec",
    "command",
    metavar="CMD",
    default="",
    show_default=False,
    help="Instead of an app: a command that gets each task's JSON on stdin, and where it says {data.NAME}, {id}, {type} or "
    "{priority} that of the task, and writes the result's JSON to stdout; exit 0 completed, 65 permanent, else retry.",
)
shell_option: Final = click.option(
    "--shell", "is_shell", is_flag=True, help="Have a shell run the command of --exec."
)
timeout_option: Final = click.option(
    "--timeout",
    type=click.FloatRange(min=0.001),
    metavar="SECONDS",
    help="Time limit of a task, with --exec.",
)
retries_option: Final = click.option(
    "--retries",
    type=click.IntRange(min=0, max=20),
    metavar="N",
    help="Retries of a failed task, with --exec; by default 3.",
)
spawn_option: Final = click.option(
    "--spawn",
    is_flag=True,
    help="Have each child import the app itself, instead of forking it: for libraries that bear no fork, such as CUDA.",
)
max_memory_option: Final = click.option(
    "--max-memory",
    type=_mebibytes,
    metavar="MIB",
    help="Replace a child whose memory has peaked over this, once another one can take its place: 500, or 2GiB.",
)


class Work(msgspec.Struct, frozen=True):
    """What is run, but for the app.

    Args:
        command: Instead of an app; empty for none.
        is_shell: Whether a shell runs it.
        timeout: Seconds that a command may take.
        retries: How often it is tried again.
        processes: How many children.
        threads: See `ChildSettings`.
        concurrency: See `ChildSettings`.
        spawn: See `ChildSettings`.
        keeps_output: See `Supervisor`.
    """

    command: str
    is_shell: bool
    timeout: float | None
    retries: int | None
    processes: int
    threads: int
    concurrency: int
    spawn: bool
    keeps_output: bool

    def settings(self, app: str) -> ChildSettings:
        """What children run: this app, or the command.

        Args:
            app: Empty where there is a command.
        """
        if bool(app) == bool(self.command):
            raise failed("give either an app or --exec CMD", Exit.USAGE)
        if app and (self.timeout, self.retries) != (None, None):
            raise failed(
                "--timeout and --retries go with --exec; an app's handlers have their own", Exit.USAGE
            )
        if app and self.is_shell:
            raise failed("--shell goes with --exec", Exit.USAGE)
        if self.command and self.spawn:
            raise failed("--spawn goes with an app: a command is a process of its own anyway", Exit.USAGE)
        settings = ChildSettings(
            app,
            self.command,
            self.threads,
            self.concurrency,
            self.timeout,
            is_shell=self.is_shell,
            spawn=self.spawn,
        )
        return settings if self.retries is None else msgspec.structs.replace(settings, retries=self.retries)


def takes_work(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say what is run; it gets them as `work`."""

    @exec_option
    @shell_option
    @timeout_option
    @retries_option
    @processes_option
    @threads_option
    @concurrency_option
    @spawn_option
    @keep_logs_option
    @functools.wraps(verb)
    def with_work(
        *,
        command: str,
        is_shell: bool,
        timeout: float | None,
        retries: int | None,
        processes: int | None,
        threads: int,
        concurrency: int,
        spawn: bool,
        keep_logs: bool,
        **given: Any,
    ) -> Any:
        number = processes or os.cpu_count() or 1
        work = Work(command, is_shell, timeout, retries, number, threads, concurrency, spawn, keep_logs)
        return verb(work=work, **given)

    decorated: Callable[..., Any] = with_work
    return decorated


def takes_app_and_tasks(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the arguments APP and TASKS, the first of them only without `--exec`."""

    @click.argument("app", metavar="APP", required=False, default="")
    @click.argument("tasks", metavar="TASKS", required=False, default="")
    @functools.wraps(verb)
    def with_arguments(*, app: str, tasks: str, command: str, **given: Any) -> Any:
        if command and not tasks:
            app, tasks = "", app
        if not tasks:
            raise click.UsageError("Missing argument 'TASKS'.")
        return verb(app=app, tasks=tasks, command=command, **given)

    decorated: Callable[..., Any] = with_arguments
    return decorated

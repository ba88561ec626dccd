"""`warrener work`: one worker."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from warrener.cli.ending import failed
from warrener.cli.logs import Log
from warrener.cli.options import (
    AT_LEAST_ONE,
    concurrency_option,
    processes_option,
    takes_address,
    threads_option,
)
from warrener.cli.printing import PlainFormatter
from warrener.cli.worker_process import WorkerProcess, check_worker
from warrener.errors import (
    AccessRefused,
    AppError,
    BrokerError,
    NotReady,
    QueueMismatch,
    QueueMissing,
    UsageError,
    WarrenerError,
)
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from warrener.address import Address

_MEBIBYTE: Final = 1024 * 1024


@click.command()
@click.argument("app", default="")
@click.option(
    "--exec",
    "command",
    metavar="CMD",
    default="",
    show_default=False,
    help="Instead of an app: a command that gets each task's JSON on stdin and writes the result's JSON to stdout; exit 0 completed, 65 permanent, else retry.",
)
@click.option("--drain", is_flag=True, help="End with exit code 0 when no work is left.")
@click.option(
    "--check",
    is_flag=True,
    help="Only see whether this worker could work: import the app, reach the queue; 0 or 78. Writes the delays that its retries need.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=25.0,
    help="After SIGTERM, let running tasks finish for so long.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.001),
    metavar="SECONDS",
    help="Time limit of a task, with --exec.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0, max=20),
    metavar="N",
    help="Retries of a failed task, with --exec; by default 3.",
)
@click.option("--max-tasks", type=AT_LEAST_ONE, metavar="N", help="Replace a child after so many tasks.")
@click.option(
    "--max-memory",
    type=AT_LEAST_ONE,
    metavar="MIB",
    help="Replace a child whose memory has peaked over this.",
)
@processes_option
@threads_option
@concurrency_option
@takes_address
def work(
    app: str,
    command: str,
    drain: bool,
    check: bool,
    grace: float,
    timeout: float | None,
    retries: int | None,
    max_tasks: int | None,
    max_memory: int | None,
    processes: int | None,
    threads: int,
    concurrency: int,
    address: Address,
) -> None:
    """Take tasks from the queue and run them.

    APP is module, module:name, file.py or file.py:name.

    Exit codes: 0 drained; 75 stopped with work left, or the broker is lost; 78 it can never work; 130 on Ctrl-C.

    Example: warrener work app.py --drain --processes 4
    """
    settings = _settings(app, command, threads, concurrency, timeout, retries)
    _log_to_stderr()
    if check:
        click.echo(_finish(check_worker(address, settings)))
        return
    worker = WorkerProcess(
        address,
        settings,
        processes=processes or os.cpu_count() or 1,
        drain=drain,
        grace=grace,
        max_tasks=max_tasks,
        max_memory=max_memory * _MEBIBYTE if max_memory else None,
    )
    raise click.exceptions.Exit(_finish(worker.run()))


def _log_to_stderr() -> None:
    log = Log()
    log.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it logs is raised, and said once


def _finish(main: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(main)
    except WarrenerError as error:
        raise failed(str(error), _code(error)) from None


def _code(error: WarrenerError) -> int:
    match error:
        case AppError() | AccessRefused() | QueueMissing() | QueueMismatch():
            return Exit.UNFIT
        case UsageError():
            return Exit.USAGE
        case BrokerError() | NotReady():
            return Exit.STOPPED
        case _:
            return Exit.FAILED


def _settings(
    app: str, command: str, threads: int, concurrency: int, timeout: float | None, retries: int | None
) -> ChildSettings:
    if bool(app) == bool(command):
        raise failed("give either an app or --exec CMD", Exit.USAGE)
    if app and (timeout, retries) != (None, None):
        raise failed("--timeout and --retries go with --exec; an app's handlers have their own", Exit.USAGE)
    settings = ChildSettings(app, command, threads, concurrency, timeout)
    return settings if retries is None else msgspec.structs.replace(settings, retries=retries)

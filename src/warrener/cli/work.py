"""`warrener work`: one worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import click

from warrener.cli.ending import failed, run
from warrener.cli.options import AT_LEAST_ONE, takes_address
from warrener.cli.work_options import max_memory_option, takes_work
from warrener.cli.worker_process import Serving, WorkerProcess, check_worker
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
from warrener.stderr import stderr

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from warrener.address import Address
    from warrener.cli.work_options import Work

_log = logging.getLogger("warrener.worker")
_MEBIBYTE: Final = 1024 * 1024


@click.command("work")
@click.argument("app", default="")
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
@click.option("--max-tasks", type=AT_LEAST_ONE, metavar="N", help="Replace a child after so many tasks.")
@max_memory_option
@click.option("-v", "--verbose", is_flag=True, help="Log each attempt, not only tasks that failed.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How the log is written; as JSON, each line of what tasks print is an object, too.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve /metrics for Prometheus, and /livez and /readyz, on this port; 0 for any that is free.",
)
@click.option(
    "--metrics-host",
    metavar="ADDRESS",
    help="With --metrics-port: serve on this address alone, as 127.0.0.1; by default on all of this machine's.",
)
@takes_work
@takes_address
def work_(
    app: str,
    drain: bool,
    check: bool,
    grace: float,
    max_tasks: int | None,
    max_memory: int | None,
    verbose: bool,
    log_format: str,
    metrics_port: int | None,
    metrics_host: str | None,
    work: Work,
    address: Address,
) -> None:
    """Take tasks from the queue and run them.

    APP is module, module:name, file.py or file.py:name.

    Exit codes: 0 drained; 75 stopped with work left, or the broker is lost; 78 it can never work; 130 on Ctrl-C.

    Example: warrener work app.py --drain --processes 4
    """
    from warrener.cli.worker_log import WorkerLog, log_to_stderr

    if metrics_host and metrics_port is None:
        raise failed("--metrics-host goes with --metrics-port", Exit.USAGE)
    settings = work.settings(app)
    log_to_stderr(as_json=log_format == "json")
    if check:
        click.echo(_finish(check_worker(address, settings)))
        return
    worker = WorkerProcess(
        address,
        settings,
        WorkerLog(address, is_verbose=verbose),
        None if metrics_port is None else Serving(metrics_port, metrics_host),
        processes=work.processes,
        keeps_output=work.keeps_output,
        drain=drain,
        awaits_runs=drain,
        grace=grace,
        max_tasks=max_tasks,
        max_memory=max_memory * _MEBIBYTE if max_memory else None,
    )
    raise click.exceptions.Exit(_finish(worker.run()))


def _finish(main: Coroutine[Any, Any, Any]) -> Any:
    try:
        return run(main)
    except WarrenerError as error:
        if stderr().as_json:
            _log.error("%s", error)
            raise click.exceptions.Exit(_code(error)) from None
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

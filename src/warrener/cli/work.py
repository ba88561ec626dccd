"""`warrener work`: one worker."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.logs import Log
from warrener.cli.options import (
    BrokerOption,
    ConcurrencyOption,
    ManagementOption,
    ProcessesOption,
    QueueOption,
    ThreadsOption,
)
from warrener.cli.printing import EXIT_FAILED, EXIT_USAGE, PlainFormatter, failed, guarded, say
from warrener.errors import (
    AccessRefused,
    AppError,
    BrokerError,
    BrokerUnreachable,
    QueueMismatch,
    QueueMissing,
    UsageError,
    WarrenerError,
)
from warrener.worker.frames import ChildSettings

if TYPE_CHECKING:
    from warrener.exit_codes import Exit

_CONNECT_FOR = 30.0
_MEBIBYTE = 1024 * 1024


def work(
    app: Annotated[str, typer.Argument(help="module, module:name, file.py or file.py:name.")] = "",
    command: Annotated[
        str,
        typer.Option(
            "--exec",
            metavar="CMD",
            help="Instead of an app: a command that gets each task's JSON on stdin and writes the result's JSON to stdout; exit 0 completed, 65 permanent, else retry.",
        ),
    ] = "",
    drain: Annotated[
        bool, typer.Option("--drain", help="End with exit code 0 when no work is left.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only see whether this worker could work: import the app, reach the queue; 0 or 78. Writes the delays that its retries need.",
        ),
    ] = False,
    grace: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="After SIGTERM, let running tasks finish for so long."),
    ] = 25.0,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Time limit of a task, with --exec.")
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(min=0, max=20, metavar="N", help="Retries of a failed task, with --exec; by default 3."),
    ] = None,
    max_tasks: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Replace a child after so many tasks.")
    ] = None,
    max_memory: Annotated[
        int | None,
        typer.Option(min=1, metavar="MIB", help="Replace a child whose memory has peaked over this."),
    ] = None,
    processes: ProcessesOption = None,
    threads: ThreadsOption = 1,
    concurrency: ConcurrencyOption = 32,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Take tasks from the queue and run them.

    Exit codes: 0 drained; 75 stopped with work left, or the broker is lost; 78 it can never work; 130 on Ctrl-C.

    Example: warrener work app.py --drain --processes 4
    """
    from warrener.worker.nursery import Nursery

    settings = _settings(app, command, threads, concurrency, timeout, retries)
    log = Log()
    log.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.INFO)
    with guarded():
        address = Address(broker, queue, management)

    async def main() -> Exit:
        nursery = Nursery()
        await nursery.warm_up()  # while we import what is needed, and connect
        try:
            return await work_with(nursery)
        finally:
            await nursery.end()

    async def work_with(nursery: Nursery) -> Exit:
        from warrener.brokers import connect
        from warrener.codec import encode
        from warrener.exit_codes import Exit
        from warrener.retry import delay_schedule
        from warrener.worker.supervisor import Supervisor

        loop = asyncio.get_running_loop()
        stopped: list[Exit] = []
        supervisors: list[Supervisor] = []

        def stop(code: Exit) -> None:
            stopped.append(code)
            for supervisor in supervisors:
                supervisor.stop(code)

        loop.add_signal_handler(signal.SIGTERM, stop, Exit.STOPPED)
        loop.add_signal_handler(signal.SIGINT, stop, Exit.INTERRUPTED)
        give_up_at = time.monotonic() + _CONNECT_FOR
        while not stopped:
            try:
                async with connect(address) as open_broker:
                    if stopped:  # while it connected
                        break
                    supervisor = Supervisor(
                        open_broker,
                        settings,
                        processes=processes or os.cpu_count() or 1,
                        drain=drain,
                        grace=grace,
                        max_tasks=max_tasks,
                        max_memory=max_memory * _MEBIBYTE if max_memory else None,
                        nursery=nursery,
                    )
                    supervisors.append(supervisor)  # before it starts: it may be stopped meanwhile
                    hello = await supervisor.start()
                    if check and not stopped:
                        await supervisor.close()
                        await open_broker.delays([])  # raises what keeps this user from the queue
                        typer.echo(encode({"delays": delay_schedule(hello.policies)}))
                        return Exit.DRAINED
                    return await supervisor.run()
            except BrokerUnreachable as error:
                # Not yet there, perhaps, or not again: workers may be started before their broker.
                if time.monotonic() > give_up_at:
                    raise
                supervisors.clear()
                say(f"warrener: {error}; trying again")
                await asyncio.sleep(1)
        return stopped[0]

    raise typer.Exit(_finish(main()))


def _finish(main: Coroutine[None, None, Exit]) -> Exit:
    try:
        return asyncio.run(main)
    except WarrenerError as error:
        raise failed(str(error), _code(error)) from None


def _code(error: WarrenerError) -> int:
    from warrener.exit_codes import Exit

    match error:
        case AppError() | AccessRefused() | QueueMissing() | QueueMismatch():
            return Exit.UNFIT
        case UsageError():
            return EXIT_USAGE
        case BrokerError():
            return Exit.STOPPED
        case _:
            return EXIT_FAILED


def _settings(
    app: str, command: str, threads: int, concurrency: int, timeout: float | None, retries: int | None
) -> ChildSettings:
    if bool(app) == bool(command):
        raise failed("give either an app or --exec CMD", EXIT_USAGE)
    if app and (timeout, retries) != (None, None):
        raise failed("--timeout and --retries go with --exec; an app's handlers have their own", EXIT_USAGE)
    settings = ChildSettings(app, command, threads, concurrency, timeout)
    return settings if retries is None else msgspec.structs.replace(settings, retries=retries)

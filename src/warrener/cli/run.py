"""`warrener run`: publish, work, watch and collect as one."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from typing import Annotated

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.options import (
    BrokerOption,
    ConcurrencyOption,
    ManagementOption,
    ProcessesOption,
    QueueOption,
    ThreadsOption,
)
from warrener.cli.printing import EXIT_FAILED, Progress, ended_with, finish, say, status_line


def run(
    app: Annotated[str, typer.Argument(help="module, module:name, file.py or file.py:name.")],
    tasks: Annotated[str, typer.Argument(help="A JSONL file, or a CSV file (its columns are the data).")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where results go; - for stdout.")
    ] = "results.jsonl",
    form: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|json|csv", help="By default as FILE ends.")
    ] = None,
    task_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="The type of tasks that bring none; CSV needs it.")
    ] = "",
    start_line: Annotated[int, typer.Option(min=1, metavar="N", help="Publish from this line on.")] = 1,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out invalid lines, instead of stopping.")
    ] = False,
    processes: ProcessesOption = None,
    threads: ThreadsOption = 1,
    concurrency: ConcurrencyOption = 32,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Publish tasks, work on them here, and collect the results.

    Run it again after an interruption and it goes on where it was.

    Example: warrener run app.py tasks.jsonl -o results.jsonl
    """
    from warrener.worker.frames import ChildSettings

    settings = ChildSettings(app=app, threads=threads, concurrency=concurrency)
    files = (tasks, output, form, task_type)
    code = finish(_run(settings, files, start_line, skip_invalid, processes, (broker, queue, management)))
    raise typer.Exit(code)


async def _run(
    settings: object,
    files: tuple[str, str, str | None, str],
    start_line: int,
    skip_invalid: bool,
    processes: int | None,
    where: tuple[str, str, str | None],
) -> int:
    from warrener.batch import Batch
    from warrener.exit_codes import Exit
    from warrener.monitor import Status
    from warrener.sources import read
    from warrener.worker.frames import ChildSettings
    from warrener.writers import checked_format, opened

    assert isinstance(settings, ChildSettings)  # noqa: S101 - for the type checker
    tasks, output, form, task_type = files
    address = Address(*where)
    lines = read(tasks, task_type=task_type, on_invalid=_left_out if skip_invalid else None)
    with opened(output, checked_format(output, form)) as target, Progress("running") as progress:

        def show(status: Status, blocked_reason: str | None) -> None:
            progress.show(status_line(status), status.done, status.total or None, blocked_reason)

        batch = Batch(
            address,
            settings,
            processes=processes or os.cpu_count() or 1,
            start_line=start_line,
            on_status=show,
        )
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, batch.stop, Exit.INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, batch.stop, Exit.STOPPED)
        ended = await batch.run(lines, target)
        if ended.summary is None:
            target.discard()
    if ended.summary is None:
        words = [
            "warrener",
            "run",
            settings.app,
            tasks,
            "-o",
            output,
            *(["--format", form] if form else []),
            *(["--type", task_type] if task_type else []),
            *(["--skip-invalid"] if skip_invalid else []),
        ]
        say(f"stopped; go on with: {shlex.join(words)} --start-line {ended.resume_line}{address.flags()}")
        return ended.exit
    if ended.were_done:
        say(
            f"{ended.were_done:,} of these tasks had ended before; for a fresh start: warrener delete{address.flags()}"
        )
    ended_with(ended.summary, output, address.flags().strip())
    return EXIT_FAILED if ended.summary.failed or ended.summary.missing else 0


def _left_out(sentence: str) -> None:
    say(f"warrener: left out: {sentence}")

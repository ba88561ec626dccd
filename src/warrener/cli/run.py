"""`warrener run`: publish, work, watch and collect as one."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import click

from warrener.cli.ending import finish
from warrener.cli.files import ResultFile, TaskFile
from warrener.cli.hint import again
from warrener.cli.options import (
    concurrency_option,
    format_option,
    output_option,
    processes_option,
    skip_invalid_option,
    start_line_option,
    takes_address,
    threads_option,
    type_option,
)
from warrener.cli.printing import ended_with, say
from warrener.cli.progress import Progress, status_line
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.batch import Ended
    from warrener.monitor import Status


@click.command()
@click.argument("app")
@click.argument("tasks")
@output_option("results.jsonl")
@format_option
@type_option
@start_line_option
@skip_invalid_option
@processes_option
@threads_option
@concurrency_option
@takes_address
def run(
    app: str,
    tasks: str,
    output: str,
    form: str | None,
    task_type: str,
    start_line: int,
    skip_invalid: bool,
    processes: int | None,
    threads: int,
    concurrency: int,
    address: Address,
) -> None:
    """Publish tasks, work on them here, and collect the results.

    APP is module, module:name, file.py or file.py:name. TASKS is a JSONL file, or a CSV file whose columns are the data.

    Run it again after an interruption and it goes on where it was.

    Example: warrener run app.py tasks.jsonl -o results.jsonl
    """
    settings = ChildSettings(app=app, threads=threads, concurrency=concurrency)
    source = TaskFile(tasks, task_type, start_line, skip_invalid)
    results = ResultFile(output, form)
    ended = finish(_run(address, settings, processes or os.cpu_count() or 1, source, results))
    raise click.exceptions.Exit(_report(ended, address, output))


async def _run(
    address: Address, settings: ChildSettings, processes: int, source: TaskFile, results: ResultFile
) -> Ended:
    from warrener.batch import Batch
    from warrener.writers import checked_format, opened

    form = checked_format(results.path, results.form)
    with opened(results.path, form) as writer, Progress("running") as progress:

        def show(status: Status, blocked_reason: str | None) -> None:
            progress.show(status_line(status), status.done, status.total or None, blocked_reason)

        batch = Batch(address, settings, processes=processes, start_line=source.start_line, on_status=show)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, batch.stop, Exit.INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, batch.stop, Exit.STOPPED)
        ended = await batch.run(source.read(_left_out), writer)
        if ended.summary is None:
            writer.discard()
    return ended


def _report(ended: Ended, address: Address, output: str) -> int:
    """Say how it ended; the exit code."""
    if ended.summary is None:
        say(f"stopped; go on with: {again(address, start_line=ended.resume_line)}")
        return ended.exit
    if ended.were_done:
        say(
            f"{ended.were_done:,} of these tasks had ended before; for a fresh start: warrener delete{address.flags()}"
        )
    ended_with(ended.summary, output, f"warrener failures list{address.flags()}")
    return Exit.FAILED if ended.summary.failed or ended.summary.missing else Exit.OK


def _left_out(sentence: str) -> None:
    say(f"warrener: left out: {sentence}")

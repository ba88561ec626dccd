"""`warrener run`: publish, work, watch and collect as one."""

from __future__ import annotations

import asyncio
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, Protocol

import click

from warrener.cli.batch_options import max_failures_option, may_start_over, takes_batch
from warrener.cli.ending import finish, guarded
from warrener.cli.files import ResultFile, TaskFile, takes_tasks
from warrener.cli.hint import again
from warrener.cli.holding import held_by, hold_text
from warrener.cli.options import output_option, result_format_option
from warrener.cli.page_beside import page_beside
from warrener.cli.printing import counted, ended_with, say
from warrener.cli.progress import Progress
from warrener.cli.report import check_report, report_option, write_report
from warrener.cli.surroundings import stop_signals
from warrener.cli.taken import slowest_lines
from warrener.cli.work_options import takes_app_and_tasks, takes_work
from warrener.exit_codes import Exit
from warrener.failure_limit import FailureLimit
from warrener.orders import Orders
from warrener.provenance import begun_now
from warrener.status_line import status_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.address import Address
    from warrener.batch import Batch
    from warrener.cli.work_options import Work
    from warrener.local_run import Ended, Plan
    from warrener.monitor import Status
    from warrener.sources import Line
    from warrener.worker.manifest import AppManifest

# The type of tasks that bring none, where a command runs them.
ANY_COMMAND: Final = "exec"


@click.command()
@takes_app_and_tasks
@output_option("results.jsonl")
@result_format_option
@report_option
@takes_tasks
@takes_work
@max_failures_option
@click.option("--ui", "has_page", is_flag=True, help="Serve the page of `warrener ui` while it works.")
@takes_batch
def run(
    app: str,
    tasks: TaskFile,
    output: str,
    form: str | None,
    report_file: str | None,
    work: Work,
    max_failures: str | None,
    share: bool,
    fresh: bool,
    window: int,
    yes: bool,
    has_page: bool,
    address: Address,
) -> None:
    """Publish tasks, work on them here, and collect the results.

    APP is module, module:name, file.py or file.py:name. TASKS is a JSONL file, a small JSON array, or a table
    (.csv, .tsv) whose columns are the data; any of them may be packed with gzip.

    Run it again after an interruption and it goes on where it was; after an edit, and it runs what is new. The file of
    results has the rows of these tasks as they are worded now, and no others.

    With --exec CMD there is no APP: a command runs each task.

    Example: warrener run app.py tasks.jsonl -o results.jsonl
    """
    from warrener.local_run import Plan

    settings = work.settings(app)
    if work.command:
        tasks.type = tasks.type or ANY_COMMAND
    results = ResultFile(output, form)
    with guarded():
        tasks.check_begin()
        results.checked(tasks)
        check_report(report_file, output, tasks.path)
        limit = FailureLimit.parse(max_failures) if max_failures else None
    may_start_over(address, fresh=fresh, yes=yes)
    with guarded():
        begun = begun_now(tasks.path, app or work.command)
    plan = Plan(
        address,
        begun,
        settings,
        work.processes,
        share,
        fresh,
        window,
        limit,
        work.keeps_output,
    )
    with guarded(), page_beside(address) if has_page else nullcontext():
        ended = finish(run_here(plan, tasks, results))
    code = report(ended, address, tasks, output, is_shared=share)
    if report_file and (ended.summary or ended.exceeded):
        finish(write_report(address, report_file))
    raise click.exceptions.Exit(code)


class Source(Protocol):
    """Where the tasks come from: `TaskFile`, or `warrener.cli.items.Items`."""

    @property
    def left_out(self) -> int:
        """How many were left out."""

    @property
    def left_out_text(self) -> str:
        """That, and where they are, for people."""

    @property
    def is_all_invalid(self) -> bool:
        """Whether something was left out, and nothing remained."""

    def lines(self, manifest: AppManifest) -> Iterator[Line]:
        """The tasks, once it is known what is in the app."""


async def run_here(plan: Plan, source: Source, results: ResultFile) -> Ended:
    """Run it, and show how far it is."""
    from warrener.local_run import Run
    from warrener.writers import opened

    resume = f"warrener resume{plan.address.flags()}"
    with opened(results.path, results.checked()) as writer, Progress("running") as progress:

        def show(status: Status, blocked_reason: str | None) -> None:
            held_up = hold_text(status.hold, resume) if status.hold else blocked_reason
            progress.show(status_line(status), status.done, status.total or None, held_up)

        run = Run(plan, on_status=show, on_begun=_say_lifted)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, run.stop, Exit.INTERRUPTED)
        for number in stop_signals():
            loop.add_signal_handler(number, run.stop, Exit.STOPPED)
        ended = await run.run(source.lines, writer)
        if ended.summary is None:
            writer.discard()
    return ended


def _say_lifted(batch: Batch) -> None:
    """Say what keeps the batch from running no more."""
    orders = batch.publication.lifted or Orders()
    if orders.cancelled:
        say(f"it was cancelled {held_by(orders.cancelled)}, and goes on where it was")
    elif orders.paused:
        say(f"it was paused, since {orders.paused.limit}, and goes on where it was")
    if orders.types:
        say(f"tasks of type {', '.join(map(repr, sorted(orders.types)))} were cancelled, and run now")


def report(ended: Ended, address: Address, tasks: Source, output: str, *, is_shared: bool) -> int:
    """Say how it ended; the exit code."""
    if ended.exceeded and ended.exit is Exit.FAILED:
        say(
            f"{ended.exceeded}, so the batch is paused: see `warrener failures list{address.flags()}`; go on with: "
            f"{again(address, fresh=False)}"
        )
        return ended.exit
    if ended.summary is None:
        say(f"stopped; go on with: {again(address, fresh=False)}")
        return ended.exit
    if ended.foreign_rows or ended.stale_failures:
        kinds = ((ended.foreign_rows, "row"), (ended.stale_failures, "failure"))
        more = " and ".join(counted(count, noun) for count, noun in kinds if count)
        say(f"left out: {more} on this queue, of no task in this batch as it is now")
    if ended.were_done:
        of = ", with an earlier version of the app" if ended.is_app_changed else ""
        way = "" if is_shared else f"; to run all of them again: {again(address, fresh=True)}"
        say(f"{counted(ended.were_done, 'task')} had ended before{of}{way}")
    left_out = tasks.left_out_text if tasks.left_out else ""
    ended_with(ended.summary, output, f"warrener failures list{address.flags()}", left_out)
    for line in slowest_lines(ended.took) if ended.took else ():
        say(line)
    if ended.summary.cancelled:
        by = f" {held_by(ended.hold)}" if ended.hold else ""
        say(f"cancelled{by}; go on with: {again(address, fresh=False)}")
    has_failed = (
        ended.summary.failed or ended.summary.cancelled or ended.summary.missing or tasks.is_all_invalid
    )
    return Exit.FAILED if has_failed else Exit.OK

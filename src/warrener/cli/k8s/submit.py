"""`warrener k8s submit`: `warrener run` on the cluster."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import click

from warrener.cli.asking import make_sure
from warrener.cli.batch_options import fresh_option, share_option
from warrener.cli.ending import failed, finish, guarded, told
from warrener.cli.files import ResultFile, TaskFile, takes_tasks
from warrener.cli.k8s.options import takes_batch_spec, takes_cluster
from warrener.cli.k8s.scheduling import takes_schedule
from warrener.cli.k8s.status import show_look
from warrener.cli.k8s.unheard import BESIDE_SCHEDULE, refuse_typed
from warrener.cli.options import output_option, result_format_option, yes_option
from warrener.cli.printing import ended_with, say
from warrener.cli.progress import Progress
from warrener.cli.report import check_report, report_on, report_option
from warrener.cli.run import ANY_COMMAND
from warrener.cli.taken import slowest_lines
from warrener.cli.work_options import takes_app_and_tasks
from warrener.errors import AppError
from warrener.exit_codes import Exit
from warrener.failure_limit import FailureLimit, LimitExceeded
from warrener.kubernetes.commands import Commands
from warrener.kubernetes.manifests.code import left_here
from warrener.provenance import begun_now

if TYPE_CHECKING:
    from warrener.journal import Begun
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.kubernetes.operations.submit import Submission
    from warrener.monitor import Status
    from warrener.rows import Summary


@click.command()
@takes_app_and_tasks
@output_option("results.jsonl")
@result_format_option
@report_option
@takes_tasks
@click.option("--no-wait", is_flag=True, help="Leave when the workers are started; collect later.")
@click.option("--dry-run", is_flag=True, help="Only write the manifests that would be applied, to stdout.")
@share_option
@fresh_option
@yes_option
@takes_batch_spec
@takes_schedule
@takes_cluster
def submit(
    spec: Spec,
    tasks: TaskFile,
    output: str,
    form: str | None,
    report_file: str | None,
    no_wait: bool,
    dry_run: bool,
    max_failures: str | None,
    share: bool,
    fresh: bool,
    yes: bool,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Publish tasks to the cluster, start workers there, watch them, and collect the results.

    Ctrl-C detaches: the workers go on. Run it again, and it goes on where it was.

    APP is file.py, file.py:name or package/, which are sent along, or module or module:name in the image. TASKS is a JSONL
    file, a small JSON array, or a table (.csv, .tsv) whose columns are the data; any of them may be packed with gzip.

    With --exec CMD there is no APP: a command runs each task, which the image has, or which is of files here, which are sent
    along.

    Example: warrener k8s submit app.py tasks.jsonl --parallelism 8 -o results.jsonl
    """
    if spec.child.command:
        tasks.type = tasks.type or ANY_COMMAND
    commands = Commands(spec.namespace, context, kubeconfig)
    with guarded():
        _refuse_unheard(spec, report_file, commands, no_wait=no_wait)
    if dry_run:
        from warrener.kubernetes.manifests.render import render
        from warrener.kubernetes.manifests.text import to_yaml

        click.echo(
            to_yaml(
                render(spec, ["workers"] if spec.schedule else ["check", "workers"]),
                f"What `warrener k8s submit` applies for {spec.queue!r}.",
            )
        )
        return
    if spec.schedule:
        _say_scheduled(finish(_schedule(spec, commands)), spec, commands)
        return
    with guarded():
        if not no_wait:
            ResultFile(output, form).checked(tasks)
        check_report(report_file, output, tasks.path)
        tasks.check()
        limit = FailureLimit.parse(max_failures) if max_failures else None
        begun = begun_now(tasks.path, spec.child.command or click.get_current_context().params["app"])
    if fresh and not yes:
        make_sure(
            f"Drop all that is on queue {spec.queue!r} in {commands.place}: waiting tasks, results and failures?"
        )
    submitted = _Submitted(spec, begun, tasks, (output, form), report_file, not no_wait, share, fresh, limit)
    raise click.exceptions.Exit(finish(_submit_or_say_why(submitted, commands)))


async def _schedule(spec: Spec, commands: Commands) -> str:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.scheduled import schedule

    async with Cluster.open(
        context=commands.context, kubeconfig=commands.kubeconfig, namespace=spec.namespace
    ) as cluster:
        with Progress(spec.queue) as progress:
            return await schedule(cluster, spec, lambda text: progress.show(text, 0, None), say)


def _say_scheduled(name: str, spec: Spec, commands: Commands) -> None:
    cron = spec.schedule.cron if spec.schedule else ""
    say(
        f"the batch runs by itself at {cron!r} (CronJob {name}); see to it with:  {commands.k8s('status', spec.queue)}"
    )
    say(f"take that away with:  {commands.k8s('cancel --schedule', spec.queue)}")


def _refuse_unheard(spec: Spec, report_file: str | None, commands: Commands, *, no_wait: bool) -> None:
    from warrener.kubernetes.manifests.scaling import refuse_standing

    refuse_standing(spec, commands)
    if spec.schedule:
        refuse_typed(BESIDE_SCHEDULE)
    elif no_wait:
        later = commands.on_queue(f"report -o {shlex.quote(report_file or '')}", spec.queue)
        refuse_typed(
            {
                "report_file": "needs the end, and --no-wait leaves before it: leave one out, or write it later with "
                f"`{later}`",
                "max_failures": "needs somebody who counts failures, and --no-wait leaves before there are any: leave one out",
            }
        )


class _Submitted(NamedTuple):
    spec: Spec
    begun: Begun
    source: TaskFile
    target: tuple[str, str | None]
    report_file: str | None
    waits: bool
    is_shared: bool
    is_fresh: bool
    limit: FailureLimit | None


async def _submit_or_say_why(submitted: _Submitted, commands: Commands) -> int:
    try:
        return await _submit(submitted, commands)
    except AppError as error:
        spec = submitted.spec
        is_sent = spec.code is not None and spec.code.archive
        raise AppError(f"{error}{'' if is_sent else left_here(spec.child.app)}") from None
    except LimitExceeded as error:
        say(f"warrener: {error}")
        if submitted.report_file:
            with told():
                await _write_report(submitted.spec.queue, submitted.report_file, commands)
        return Exit.FAILED


async def _submit(submitted: _Submitted, commands: Commands) -> int:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.submit import Submission
    from warrener.writers import opened

    spec, target = submitted.spec, submitted.target
    output, form = target
    results = opened(output, ResultFile(output, form).checked()) if submitted.waits else nullcontext()
    async with Cluster.open(
        context=commands.context, kubeconfig=commands.kubeconfig, namespace=spec.namespace
    ) as cluster:
        with results as writer, Progress(spec.queue) as progress:
            resume = commands.on_queue("resume", spec.queue)

            def look(status: Status, workers: WorkerJob, blocked_reason: str | None) -> None:
                show_look(progress, status, workers, resume, blocked_reason=blocked_reason)

            submission = Submission(
                cluster,
                spec,
                submitted.begun,
                is_shared=submitted.is_shared,
                is_fresh=submitted.is_fresh,
                limit=submitted.limit,
                on_progress=lambda text: progress.show(text, 0, None),
                on_note=say,
                on_look=look,
            )
            try:
                summary = await submission.run(submitted.source.read(), writer)
            except asyncio.CancelledError:
                if submission.job is None:
                    raise failed(
                        "stopped before the workers were started; the same command goes on", Exit.INTERRUPTED
                    ) from None
                if not submission.is_published:
                    raise failed(
                        "stopped while tasks were being published; the workers go on with those that are, and the same "
                        "command publishes the rest",
                        Exit.INTERRUPTED,
                    ) from None
                say_how_to_go_on("detached; the workers go on", spec.queue, target, commands)
                raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    if summary is None:
        _say_left(submission, submitted, commands)
        return 0
    code = _say_ended(summary, submission, submitted, commands)
    if submitted.report_file:
        await _write_report(spec.queue, submitted.report_file, commands)
    return code


def _say_left(submission: Submission, submitted: _Submitted, commands: Commands) -> None:
    """Say how to go on with what nobody waited for."""
    queue, target = submitted.spec.queue, submitted.target
    if submission.job is None:
        say("all of these tasks have ended before; collect with:")
        say(f"  {commands.on_queue(_collect(target), queue)}")
        return
    say_how_to_go_on(f"the workers are started (Job {submission.job})", queue, target, commands)


def _say_ended(summary: Summary, submission: Submission, submitted: _Submitted, commands: Commands) -> int:
    """Say how it ended; the exit code."""
    source, (output, _) = submitted.source, submitted.target
    if submission.were_done:
        say(f"{submission.were_done:,} of these tasks had ended before")
    left_out = source.left_out_text if source.left_out else ""
    ended_with(summary, output, commands.on_queue("failures list", submitted.spec.queue), left_out)
    for line in slowest_lines(submission.took):
        say(line)
    return (
        Exit.FAILED if summary.failed or summary.cancelled or summary.missing or source.is_all_invalid else 0
    )


async def _write_report(queue: str, report_file: str, commands: Commands) -> None:
    from warrener.brokers import connect
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.reach import queue_of

    async with (
        Cluster.open(
            context=commands.context, kubeconfig=commands.kubeconfig, namespace=commands.namespace
        ) as cluster,
        queue_of(cluster, queue) as address,
        connect(address) as broker,
    ):
        await report_on(broker, queue, commands.place, report_file)


def say_how_to_go_on(what: str, queue: str, target: tuple[str, str | None], commands: Commands) -> None:
    """Say how to look at the workers, and how to collect what they do into the same file."""
    say(f"{what}. Look at them with:  {commands.k8s('status --watch', queue)}")
    say(f"and collect with:  {commands.on_queue(_collect(target), queue)}")


def _collect(target: tuple[str, str | None]) -> str:
    output, form = target
    return f"results -o {shlex.quote(output)}" + (f" --format {shlex.quote(form)}" if form else "")

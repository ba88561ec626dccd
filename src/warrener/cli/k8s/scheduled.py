"""`warrener k8s scheduled`: what the pod of a CronJob runs. Nobody types it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from warrener.address import Address
from warrener.cli.batch_options import max_failures_option
from warrener.cli.ending import failed, finish, guarded, told
from warrener.cli.files import ResultFile, TaskFile, takes_tasks
from warrener.cli.k8s.status import show_look
from warrener.cli.printing import ended_with, say
from warrener.cli.progress import Progress
from warrener.cli.report import report_on, report_option
from warrener.errors import UsageError
from warrener.exit_codes import Exit
from warrener.failure_limit import FailureLimit, LimitExceeded
from warrener.sources import count_lines

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.monitor import Status
    from warrener.rows import Summary


@click.command(hidden=True)
@click.argument("tasks")
@click.option("--spec", "spec_file", required=True, metavar="FILE", help="What the workers are made of.")
@click.option("--run", "run", required=True, metavar="NAME", help="The Job, which names this run.")
@click.option(
    "--output", "-o", metavar="FILE", help="Where the results go; by default they stay on the queue."
)
@report_option
@max_failures_option
@takes_tasks
def scheduled(
    tasks: TaskFile,
    spec_file: str,
    run: str,
    output: str | None,
    report_file: str | None,
    max_failures: str | None,
) -> None:
    """Run the batch of this time: what the pod of `warrener k8s submit --schedule` does."""
    with guarded(), tempfile.TemporaryDirectory() as directory:
        from warrener.kubernetes.manifests.spec import Spec

        try:
            spec = msgspec.json.decode(Path(spec_file).read_bytes(), type=Spec)
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(f"{spec_file} cannot be read: {error}") from error
        source = tasks.path
        if source.startswith(("http://", "https://")):
            from warrener.sources.fetching import fetch

            tasks.path = fetch(source, Path(directory))
            say(f"{Path(tasks.path).stat().st_size:,} bytes of tasks fetched")
        tasks.check()
        limit = FailureLimit.parse(max_failures) if max_failures else None
        target = (output, report_file)
        raise click.exceptions.Exit(finish(_until_stopped(_run(spec, tasks, source, run, target, limit))))


async def _until_stopped(main: object) -> int:
    """As process 1 of a container it is asked to stop by a signal that the system would pass over."""
    running = asyncio.ensure_future(main)  # type: ignore[call-overload]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        return int(await running)
    except asyncio.CancelledError:
        raise failed("stopped; the next pod goes on, and the workers do meanwhile", Exit.STOPPED) from None


async def _run(
    spec: Spec,
    tasks: TaskFile,
    source: str,
    run: str,
    target: tuple[str | None, str | None],
    limit: FailureLimit | None,
) -> int:
    from warrener.brokers import connect
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.scheduled import begun_by, run_scheduled
    from warrener.writers import opened

    output, report_file = target
    address = Address.here(queue=spec.queue)
    if output:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
    results = opened(output, ResultFile(output, None).checked(tasks)) if output else nullcontext()
    summary: Summary | None = None
    begun = begun_by(run, source, spec.child.app or spec.child.command, count_lines(tasks.path))
    async with Cluster.open(namespace=spec.namespace) as cluster:
        commands = cluster.commands
        with results as writer, Progress(spec.queue) as progress:
            resume = commands.on_queue("resume", spec.queue)

            def look(status: Status, workers: WorkerJob, blocked_reason: str | None) -> None:
                show_look(progress, status, workers, resume, blocked_reason=blocked_reason)

            try:
                summary = await run_scheduled(
                    cluster,
                    spec,
                    address,
                    begun,
                    tasks.read(),
                    target=writer,
                    limit=limit,
                    on_progress=lambda text: progress.show(text, 0, None),
                    on_look=look,
                )
            except LimitExceeded as error:
                say(f"warrener: {error}")
        where = output or f"on the queue until the next run; `{commands.on_queue('results', spec.queue)}`"
        left_out = tasks.left_out_text if tasks.left_out else ""
        if summary:
            ended_with(summary, where, commands.on_queue("failures list", spec.queue), left_out)
        else:
            say(f"results so far: {where}")
        if report_file:
            # Of a batch that is paused another pod would make one that goes on.
            with nullcontext() if summary else told():
                async with connect(address) as broker:
                    await report_on(broker, spec.queue, commands.place, report_file)
    if summary is None:
        return Exit.FAILED
    has_failed = summary.failed or summary.cancelled or summary.missing or tasks.is_all_invalid
    return Exit.FAILED if has_failed else Exit.OK

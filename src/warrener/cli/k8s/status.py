"""`warrener k8s status`: the queue and its workers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from warrener.address import Address
from warrener.cli.ending import finish
from warrener.cli.holding import hold_text
from warrener.cli.k8s.options import takes_queue
from warrener.cli.options import json_option
from warrener.cli.printing import print_json, say
from warrener.cli.progress import Progress
from warrener.cli.running import longest, running_rows
from warrener.cli.status import has_workers, hear, line, members, table
from warrener.cli.taken import recent_members
from warrener.errors import AccessRefused, ClusterRefused
from warrener.exit_codes import Exit
from warrener.status_line import status_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.brokers import Broker
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.monitor import Monitor, Status

_KEDAS: Final = "none: KEDA starts them when tasks come"


@click.command()
@click.option(
    "--watch", "-w", is_flag=True, help="Go on until all is done; exit 0 if nothing failed, else 1."
)
@json_option
@takes_queue
def status(
    watch: bool,
    as_json: bool,
    queue: str,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """How far the tasks are, what the pods do, and what stands in their way.

    Example: warrener k8s status --watch --queue images --namespace batch
    """
    raise click.exceptions.Exit(
        finish(_status(queue, namespace, context, kubeconfig, watch=watch, as_json=as_json))
    )


async def _status(
    queue: str, namespace: str, context: str | None, kubeconfig: str | None, *, watch: bool, as_json: bool
) -> int:
    from warrener.beats import listening
    from warrener.brokers import connect
    from warrener.history import recent
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.look import look as look_at_workers
    from warrener.kubernetes.operations.look import schedule_of, scheduled_run
    from warrener.kubernetes.operations.reach import queue_of
    from warrener.kubernetes.operations.watch import watch as until_done
    from warrener.monitor import watching

    seen: list[Status] = []

    async with (
        Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster,
        queue_of(cluster, queue) as address,
        connect(address) as broker,
        watching(broker) as monitor,
        listening(broker) as heard,
    ):
        if watch:
            with Progress(queue) as progress:

                def look(status: Status, workers: WorkerJob) -> None:
                    seen.append(status)
                    del seen[:-1]
                    if as_json:
                        print_json({**members(status), "workers": workers})
                    else:
                        resume = cluster.commands.on_queue("resume", queue)
                        show_look(progress, status, workers, resume, longest(heard))

                await until_done(cluster, queue, monitor, _end_of(broker, monitor), look)
            return Exit.FAILED if seen and (seen[0].counts.failed or seen[0].cancelled) else 0
        await monitor.look()
        await asyncio.sleep(1)  # a rate needs two looks
        status, workers = await monitor.look(), await look_at_workers(cluster, queue)
        schedule, run = await schedule_of(cluster, queue), await scheduled_run(cluster, queue)
        past = await recent(broker, status.counts.completed)
        if not as_json:
            await hear(heard, status)
            pods = _pods(workers) if workers else await _no_pods(cluster, queue)
    if as_json:
        print_json(
            {
                **members(status),
                **recent_members(past),
                "workers": workers,
                "schedule": schedule,
                "scheduled_run": run,
            }
        )
        return 0
    click.echo(table(Address(cluster.commands.place, queue), status, past, heard))
    click.echo(f"{'pods':<11}{pods}")
    if schedule:
        click.echo(f"{'schedule':<11}{schedule}")
    for row in running_rows(heard, status.counts.processing) if has_workers(status) else ():
        click.echo(line(*row))
    for diagnosis in [found for job in (run, workers) if job for found in job.diagnoses]:
        say(f"{'stuck' if diagnosis.fatal else 'note'}: {diagnosis.text}")
    return 0


def _end_of(broker: Broker, monitor: Monitor) -> Callable[[Status], Awaitable[bool]]:
    """Whether a look proves that all have ended: by rows where these tell, else by counts that say so for long enough."""
    from warrener.completion import Completion
    from warrener.kubernetes.operations.ended import Ended

    completion, ended = Completion(broker), Ended(broker)

    async def is_over(status: Status) -> bool:
        with suppress(AccessRefused):
            if await ended.is_proven(status, monitor.journal):
                return True
        return status.is_finished and await completion.is_proven_by(
            status.counts, is_cancelled=status.cancelled > 0
        )

    return is_over


def show_look(
    progress: Progress,
    status: Status,
    workers: WorkerJob,
    resume: str,
    running: str = "",
    *,
    blocked_reason: str | None = None,
) -> None:
    """Show a queue and its workers in one line, with what is most in their way.

    Args:
        progress: Where.
        status: The queue.
        workers: Its workers.
        resume: The command that lifts what keeps them from taking tasks.
        running: What runs there, for the end of the line.
        blocked_reason: What holds up the publisher, if anything.
    """
    diagnosis = f" | {workers.diagnoses[0].text}" if workers.diagnoses else ""
    line = f"{status_line(status)} | pods {_pods(workers)}{diagnosis}{running}"
    held_up = hold_text(status.hold, resume) if status.hold else blocked_reason
    progress.show(line, status.done, status.total or None, held_up)


async def _no_pods(cluster: Cluster, queue: str) -> str:
    from warrener.kubernetes.operations.worker_job import has_kedas

    with suppress(ClusterRefused):
        if await has_kedas(cluster, queue):
            return _KEDAS
    return "none: start workers with `warrener k8s submit`"


def _pods(workers: WorkerJob) -> str:
    pods = workers.pods
    if not pods.wanted:  # as no Job of ours has it
        return _KEDAS
    counts = {
        "running": pods.running,
        "pending": pods.pending,
        "stopping": pods.stopping,
        "done": pods.succeeded,
        "failed": pods.failed,
        "disrupted": pods.disrupted,
    }
    text = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet"
    state = "" if workers.state == "running" else f", {workers.state}"
    return f"{text} of {pods.wanted}{state}"

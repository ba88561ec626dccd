"""`warrener k8s status`: the queue and its workers."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from warrener.address import DEFAULT_QUEUE, Address
from warrener.cli.k8s.options import ContextOption, KubeconfigOption, NamespaceOption
from warrener.cli.options import QueueOption
from warrener.cli.printing import EXIT_FAILED, Progress, finish, print_json, say, status_line
from warrener.cli.status import members, table
from warrener.kubernetes.crew import Crew
from warrener.monitor import Status


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until all is done; exit 0 if nothing failed, else 1.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per look.")] = False,
    queue: QueueOption = DEFAULT_QUEUE,
    namespace: NamespaceOption = "default",
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """How far the tasks are, what the pods do, and what stands in their way.

    Example: warrener k8s status --watch --queue images --namespace batch
    """
    raise typer.Exit(finish(_status(queue, namespace, context, kubeconfig, watch=watch, as_json=as_json)))


async def _status(
    queue: str, namespace: str, context: str | None, kubeconfig: str | None, *, watch: bool, as_json: bool
) -> int:
    from warrener.brokers import connect
    from warrener.kubernetes import crew as crews
    from warrener.kubernetes.cluster import Cluster
    from warrener.kubernetes.reach import queue_of
    from warrener.kubernetes.submit import watch as until_done
    from warrener.monitor import Monitor

    seen: list[Status] = []

    async with (
        Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster,
        queue_of(cluster, queue) as address,
        connect(address) as broker,
    ):
        monitor = Monitor(broker)
        if watch:
            with Progress(queue) as progress:

                def look(status: Status, crew: Crew) -> None:
                    seen.append(status)
                    del seen[:-1]
                    if as_json:
                        print_json({**members(status), "crew": crew})
                    else:
                        progress.show(
                            f"{status_line(status)} | {crew_line(crew)}", status.done, status.total or None
                        )

                await until_done(cluster, broker, queue, monitor, look)
            return EXIT_FAILED if seen and seen[0].counts.failed else 0
        await monitor.look()
        await asyncio.sleep(1)  # a rate needs two looks
        status, crew = await monitor.look(), await crews.look(cluster, queue)
    if as_json:
        print_json({**members(status), "crew": crew})
        return 0
    typer.echo(table(Address(f"k8s:{namespace}", queue), status))
    pods = _pods(crew) if crew else "none: start workers with `warrener k8s submit`"
    typer.echo(f"{'pods':<11}{pods}")
    for obstacle in crew.obstacles if crew else ():
        say(f"{'stuck' if obstacle.fatal else 'note'}: {obstacle.text}")
    return 0


def crew_line(crew: Crew) -> str:
    """The workers in one line, with what is most in their way."""
    obstacle = f" | {crew.obstacles[0].text}" if crew.obstacles else ""
    return f"pods {_pods(crew)}{obstacle}"


def _pods(crew: Crew) -> str:
    pods = crew.pods
    counts = {
        "running": pods.running,
        "pending": pods.pending,
        "stopping": pods.stopping,
        "done": pods.succeeded,
        "failed": pods.failed,
        "disrupted": pods.disrupted,
    }
    text = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet"
    state = "" if crew.state == "running" else f", {crew.state}"
    return f"{text} of {pods.wanted}{state}"

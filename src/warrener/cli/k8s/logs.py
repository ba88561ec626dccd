"""`warrener k8s logs`: what the workers write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from warrener.cli.ending import finish
from warrener.cli.k8s.options import takes_queue
from warrener.cli.printing import say
from warrener.errors import ClusterError, ObjectMissing
from warrener.text import plain

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Wait for more, until Ctrl-C.")
@click.option("--failed", "only_failed", is_flag=True, help="Only of pods that failed.")
@takes_queue
def logs(
    follow: bool,
    only_failed: bool,
    queue: str,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Write the logs of the workers' pods, each line led by its pod's name.

    Example: warrener k8s logs --failed --queue images --namespace batch
    """

    async def main() -> None:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.manifests.names import object_names, selector

        labels = selector(object_names(queue).base, "worker")
        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            if follow:
                if not await cluster.list("Pod", labels):
                    await _say_why_none(cluster, queue)
                await _follow(cluster, labels, only_failed=only_failed)
                return
            pods = await cluster.list("Pod", labels)
            if not pods:
                await _say_why_none(cluster, queue)
            wanted = [pod for pod in pods if _is_wanted(pod, only_failed=only_failed)]
            for pod in wanted:
                await _write(cluster, pod["metadata"]["name"], follow=False)
            if pods and not wanted:
                say(
                    f"no pod of queue {queue!r} has {'failed' if only_failed else 'started'}: there are {len(pods)}"
                )

    finish(main())


async def _say_why_none(cluster: Cluster, queue: str) -> None:
    from warrener.kubernetes.operations.credentials import queues_of
    from warrener.kubernetes.operations.uninstall import check_namespace

    await check_namespace(cluster)
    if queue not in (queues := await queues_of(cluster)):
        there = f"there are {', '.join(queues)}" if queues else "there is none"
        raise ObjectMissing(f"there is no queue {queue!r} in namespace {cluster.namespace}: {there}")
    say(f"queue {queue!r} has no pods of workers in namespace {cluster.namespace}")


async def _follow(cluster: Cluster, labels: dict[str, str], *, only_failed: bool) -> None:
    followed: dict[str, asyncio.Task[None]] = {}
    try:
        async for change in cluster.watch("Pod", labels):
            name = change.object["metadata"]["name"]
            if name not in followed and _is_wanted(change.object, only_failed=only_failed):
                followed[name] = asyncio.create_task(_write(cluster, name, follow=True))
    finally:
        for task in followed.values():
            task.cancel()
        await asyncio.gather(*followed.values(), return_exceptions=True)


async def _write(cluster: Cluster, pod: str, *, follow: bool) -> None:
    try:
        async for line in cluster.logs(pod, "worker", follow=follow):
            click.echo(plain(f"{pod}: {line}"))
    except ClusterError as error:  # it is gone, say; the other pods have logs, too
        say(f"{pod}: {error}")


def _is_wanted(pod: dict[str, object], *, only_failed: bool) -> bool:
    status = pod.get("status")
    phase = status.get("phase") if isinstance(status, dict) else None
    return phase == "Failed" if only_failed else phase in ("Running", "Succeeded", "Failed")

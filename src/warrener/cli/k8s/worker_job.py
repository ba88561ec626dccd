"""`warrener k8s scale`, `cancel` and `resume`: the workers of a queue."""

from __future__ import annotations

import click

from warrener.cli.ending import finish
from warrener.cli.k8s.options import takes_queue
from warrener.cli.options import AT_LEAST_ONE
from warrener.cli.printing import say
from warrener.kubernetes.commands import Commands


@click.command()
@click.argument("workers", metavar="N", type=int)
@takes_queue
def scale(
    workers: int,
    queue: str,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Grow or shrink the workers to N while they work. Those that go requeue their tasks, which costs no attempt.

    Example: warrener k8s scale 20 --queue images --namespace batch
    """

    async def main() -> str:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations import worker_job

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            return await worker_job.scale(cluster, queue, workers)

    say(finish(main()))


@click.command()
@click.option(
    "--schedule", is_flag=True, help="Take away the schedule by which the batch runs by itself, too."
)
@takes_queue
def cancel(
    schedule: bool,
    queue: str,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Stop the workers, who requeue their tasks. The queue stays as it is; drop it with `warrener purge`.

    Example: warrener k8s cancel --queue images --namespace batch
    """

    async def main() -> tuple[str | None, bool]:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations import worker_job
        from warrener.kubernetes.operations.look import look
        from warrener.kubernetes.operations.scheduled import unschedule

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            if schedule:
                await unschedule(cluster, queue)
                workers = await look(cluster, queue)
                if workers is None or workers.has_ended:
                    return None, False
            job = await worker_job.cancel(cluster, queue)
            await worker_job.until_gone(cluster, job)
            return job, await look(cluster, queue) is not None

    job, can_resume = finish(main())
    if schedule:
        say("the batch does not run by itself any more; its users and the queue stay")
    if job is None:
        return
    say(f"the workers of Job {job} are stopped; their tasks are in the queue again")
    way_on = Commands(namespace, context, kubeconfig).k8s("resume", queue)
    say(f"go on with:  {way_on if can_resume else 'the same `warrener k8s submit`'}")


@click.command()
@click.option("--parallelism", type=AT_LEAST_ONE, metavar="N", help="Workers; by default as many as before.")
@takes_queue
def resume(
    parallelism: int | None,
    queue: str,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Start new workers on the same queue, like the last ones.

    Example: warrener k8s resume --queue images --namespace batch
    """

    async def main() -> str:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations import worker_job

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            return await worker_job.resume(cluster, queue, parallelism)

    say(f"the workers are started (Job {finish(main())})")

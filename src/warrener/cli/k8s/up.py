"""`warrener k8s up`: a broker in the cluster, with a queue on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warrener.cli.ending import finish
from warrener.cli.k8s.options import takes_broker_spec, takes_cluster
from warrener.cli.printing import say
from warrener.cli.progress import Progress
from warrener.kubernetes.commands import Commands

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec


@click.command()
@takes_broker_spec
@takes_cluster
def up(spec: Spec, context: str | None, kubeconfig: str | None) -> None:
    """Make a broker in the cluster, wait until it takes connections, and make the queue. Harmless when all is there.

    What an option does not name stays as the broker of the namespace has it; each difference is told before it is made.

    Passwords are made once and kept in Secrets; each role gets a user with exactly its rights.

    Example: warrener k8s up --queue images --namespace batch
    """

    async def main() -> None:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations.install import install

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=spec.namespace) as cluster:
            with Progress("broker") as progress:
                await install(cluster, spec, lambda text: progress.show(text, 0, None), say)

    finish(main())
    say(f"queue {spec.queue!r} is ready in namespace {spec.namespace}; look at it with:")
    say(f"  {Commands(spec.namespace, context, kubeconfig).on_queue('doctor', spec.queue)}")

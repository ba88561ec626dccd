"""`warrener k8s down`: the broker and the workers removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from warrener.cli.asking import make_sure
from warrener.cli.ending import finish
from warrener.cli.k8s.options import namespace_option, takes_cluster
from warrener.cli.options import yes_option
from warrener.cli.printing import counted, say

if TYPE_CHECKING:
    from warrener.kubernetes.operations.uninstall import Removed

_QUESTION: Final = "Remove all tasks, results and failures in namespace {}, for ever?"


@click.command()
@click.option("--purge", is_flag=True, help="Remove the data and the passwords, too: all tasks and results.")
@yes_option
@namespace_option
@takes_cluster
def down(
    purge: bool,
    yes: bool,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Remove Warrener's broker and workers from a namespace. The data stays for the next `up`, unless purged.

    The data of RabbitMQ's cluster operator cannot stay: then it asks, too.

    Example: warrener k8s down --namespace batch --purge
    """
    if purge and not yes:
        make_sure(_QUESTION.format(namespace))

    async def main() -> Removed:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations.uninstall import loses_data, uninstall

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            if not purge and not yes and await loses_data(cluster):
                make_sure(
                    f"RabbitMQ's operator deletes the volumes with its RabbitmqCluster. {_QUESTION.format(namespace)}"
                )
            return await uninstall(cluster, purge=purge)

    removed = finish(main())
    for name in removed.names:
        say(f"removed {name}")
    outcome = f"; {removed.outcome}" if removed.outcome else ""
    say(f"{counted(len(removed.names), 'object')} removed from namespace {namespace}{outcome}")

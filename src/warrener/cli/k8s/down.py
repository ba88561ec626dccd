"""`warrener k8s down`: the broker and the workers removed."""

from __future__ import annotations

import click

from warrener.cli.asking import make_sure
from warrener.cli.ending import finish
from warrener.cli.k8s.options import namespace_option, takes_cluster
from warrener.cli.options import yes_option
from warrener.cli.printing import say


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

    Example: warrener k8s down --namespace batch --purge
    """
    if purge and not yes:
        make_sure(f"Remove all tasks, results and failures in namespace {namespace}, for ever?")

    async def main() -> list[str]:
        from warrener.kubernetes.client.cluster import Cluster
        from warrener.kubernetes.operations.uninstall import uninstall

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            return await uninstall(cluster, purge=purge)

    removed = finish(main())
    for name in removed:
        say(f"removed {name}")
    kept = "" if purge else "; data and passwords are kept"
    say(f"{len(removed)} objects removed from namespace {namespace}{kept}")

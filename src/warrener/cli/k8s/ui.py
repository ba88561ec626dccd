"""`warrener k8s ui`: the page of a namespace's queues."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from warrener.cli.ending import finish, guarded
from warrener.cli.k8s.options import namespace_option, takes_cluster
from warrener.cli.options import queue_option_for
from warrener.cli.page_here import allow_actions_option, announce, open_option, port_option, serve_here
from warrener.provenance import who

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.brokers import Broker
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.web.house import House


@click.command()
@port_option
@allow_actions_option
@open_option
@queue_option_for("all of the namespace")
@namespace_option
@takes_cluster
def ui(
    port: int | None,
    allow_actions: bool,
    is_opened: bool,
    queue: str | None,
    namespace: str,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Show the page of a namespace's queues in your browser, over port-forwards. See `warrener ui`.

    Example: warrener k8s ui --namespace batch
    """
    from warrener.web.door import Door
    from warrener.web.installed import check_installed
    from warrener.web.listening import listen

    with guarded():
        check_installed()
        door = Door()
        listener = listen(door.host, port)

    async def main() -> None:
        from warrener.kubernetes.client.cluster import Cluster

        async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=namespace) as cluster:
            house = house_of(cluster, queue, can_act=allow_actions)
            await house.names()  # what is in the way of asking the cluster is said before the page is
            announce(door, listener, queue, can_act=allow_actions, is_opened=is_opened)
            await serve_here(house, door, listener)

    finish(main())


def house_of(cluster: Cluster, queue: str | None, *, can_act: bool) -> House:
    """What the page of a namespace is about.

    Args:
        cluster: The cluster, with its namespace.
        queue: The queue that was asked for; None for all.
        can_act: Whether the page may act.
    """
    from warrener.brokers import connect
    from warrener.kubernetes.operations.credentials import queues_of
    from warrener.kubernetes.operations.reach import queue_of
    from warrener.web.house import House

    @asynccontextmanager
    async def open_queue(name: str) -> AsyncIterator[Broker]:
        async with queue_of(cluster, name) as address, connect(address) as broker:
            yield broker

    async def names() -> list[str]:
        return await queues_of(cluster)

    return House(f"k8s:{cluster.namespace}", open_queue, names, queue, can_act, who())

"""From nothing to a broker that takes connections, with a queue on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers import connect
from warrener.brokers.rabbitmq.access import admit
from warrener.errors import (
    BrokerError,
    BrokerUnreachable,
    ClusterError,
    ClusterRefused,
    ClusterUnreachable,
    ObjectMissing,
)
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.setup import administrator
from warrener.kubernetes.operations.broker_start import PATIENCE, until_ready
from warrener.kubernetes.operations.credentials import give_passwords, login, queues_of
from warrener.kubernetes.operations.existing import try_existing
from warrener.kubernetes.operations.installed import agreed
from warrener.kubernetes.operations.reach import reached
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec

_LOOK_EVERY: Final = 1.0


def _untold(_: str) -> None:
    """Nobody is told."""


async def install(
    cluster: Cluster,
    spec: Spec,
    on_progress: Callable[[str], None],
    on_change: Callable[[str], None] = _untold,
) -> None:
    """Apply the broker, wait until it takes connections, and prepare the queue. Harmless when all is there.

    The namespace is made, too, where it is missing. What the spec does not name stays as the namespace has it, and the
    Secrets of all its queues follow what changes; passwords stay.

    Args:
        cluster: Where.
        spec: What.
        on_progress: Told what is being waited for.
        on_change: Told of each difference to the broker that is there, before it is made.

    Raises:
        UsageError: Something would have to change that cannot.
        ClusterError: The cluster refuses something, or the broker does not come up; the text says why.
        BrokerError: The broker refuses something, or an existing one is not where it is said to be.
    """
    await _make_namespace(cluster)
    spec = await agreed(cluster, spec, on_change)
    if spec.rabbitmq == "existing":
        await try_existing(cluster, spec)
    await give_passwords(cluster, spec)
    for manifest in render(spec, ["broker"]):
        await cluster.apply(manifest)
    if spec.rabbitmq != "existing":
        await until_ready(cluster, spec, on_progress)
    others = [queue for queue in await queues_of(cluster) if queue != spec.queue]
    for queue in (spec.queue, *others):
        one = msgspec.structs.replace(spec, queue=queue)
        await give_passwords(cluster, one, correct=True)
        if queue == spec.queue or spec.rabbitmq == "existing":  # which may be another broker now
            await prepare(cluster, one, [], on_progress)


async def prepare(
    cluster: Cluster, spec: Spec, delays: Sequence[int], on_progress: Callable[[str], None]
) -> None:
    """Make the queue's users, and the queue, on a broker that is there.

    Args:
        cluster: Where.
        spec: What.
        delays: Delays that the queue must have besides the usual ones, in milliseconds.
        on_progress: Told what is being waited for.

    Raises:
        ObjectMissing: There is no broker.
        ClusterError: It cannot be reached through the cluster.
        BrokerError: It refuses something.
    """
    secret, _ = administrator(spec)
    who = await login(cluster, secret)
    if who is None:
        raise ObjectMissing(
            f"there is no broker in namespace {cluster.namespace} (no Secret {secret}): make one with "
            f"`{cluster.commands.k8s('up', spec.queue)}`"
        )
    users = await give_passwords(cluster, spec)
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            async with reached(cluster, who, spec.queue) as found:
                address = found.on(spec.broker.vhost)
                await admit(address, users)
                async with connect(address) as broker:
                    await broker.declare(delay_schedule([RetryPolicy()]) + list(delays))
                return
        except (BrokerError, ClusterError) as error:
            # Right after it began to listen, a broker may still refuse.
            if asyncio.get_running_loop().time() > end or not _is_passing(error):
                raise
            on_progress(f"the broker is not reached yet: {error}")
            await asyncio.sleep(_LOOK_EVERY)


async def _make_namespace(cluster: Cluster) -> None:
    with suppress(ClusterRefused):  # whoever may not look has to have been given one
        if await cluster.get("Namespace", cluster.namespace) is None:
            name = {"name": cluster.namespace}
            await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": name})


def _is_passing(error: Exception) -> bool:
    return isinstance(error, BrokerUnreachable | ClusterUnreachable)

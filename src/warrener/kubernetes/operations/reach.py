"""A queue on a broker in the cluster, as if it were here: through port-forwards that are opened for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from warrener.address import Address
from warrener.errors import BrokerUnreachable, ClusterUnreachable, ObjectMissing
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.client.port_forward import Forward
from warrener.kubernetes.manifests.names import object_names
from warrener.kubernetes.manifests.pods import AUTHORITY_FILE
from warrener.kubernetes.operations.credentials import Login, login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Inside of the pod, where the forward ends, these listen without TLS; the way there is the API server's, and encrypted.
_AMQP: Final = 5672
_MANAGEMENT: Final = 15672


@asynccontextmanager
async def reached(cluster: Cluster, who: Login, queue: str) -> AsyncIterator[Address]:
    """A queue's address, good for as long as the block lasts.

    A host that is a Service of the cluster is reached by port-forwards; any other one directly.

    Raises:
        ClusterError: The cluster does not let us through.
    """
    selector = await _pods_behind(cluster, who.host)
    if selector is None:
        yield Address(_here(who.url), queue)
        return
    async with (
        Forward(cluster, selector, _AMQP) as amqp,
        Forward(cluster, selector, _MANAGEMENT) as management,
    ):
        user = f"{quote(who.username, safe='')}:{quote(who.password, safe='')}"
        url = f"amqp://{user}@127.0.0.1:{amqp.port}/{quote(who.vhost, safe='')}"
        try:
            yield Address(url, queue, f"http://127.0.0.1:{management.port}")
        except BrokerUnreachable as error:
            if amqp.problem:
                raise ClusterUnreachable(amqp.problem) from error
            raise


@asynccontextmanager
async def queue_in(place: str, queue: str) -> AsyncIterator[Address]:
    """A queue's address in a cluster.

    Args:
        place: `NAMESPACE`, or `CONTEXT/NAMESPACE` for another context than the kubeconfig's current one.
        queue: The queue's name.

    Raises:
        ObjectMissing: There is no such queue there.
    """
    context, _, namespace = place.rpartition("/")
    async with (
        Cluster.open(context=context or None, namespace=namespace or None) as cluster,
        queue_of(cluster, queue) as address,
    ):
        yield address


@asynccontextmanager
async def queue_of(cluster: Cluster, queue: str) -> AsyncIterator[Address]:
    """A queue's address in this cluster, with the rights of its `setup` user.

    Raises:
        ObjectMissing: There is no such queue there.
    """
    who = await login(cluster, object_names(queue).secret("setup"))
    if who is None:
        raise ObjectMissing(
            f"there is no queue {queue!r} in namespace {cluster.namespace}: make it with "
            f"`{cluster.commands.k8s('up', queue)}`"
        )
    async with reached(cluster, who, queue) as address:
        yield address


def _here(url: str) -> str:
    """The URL with the certificates that are trusted here, where it names those of a pod."""
    return urlsplit(url)._replace(query="").geturl() if urlsplit(url).query.endswith(AUTHORITY_FILE) else url


async def _pods_behind(cluster: Cluster, host: str) -> dict[str, str] | None:
    """The labels of the pods of a Service, by the Service's host name; None where it is none of this namespace."""
    name, _, rest = host.partition(".")
    if rest and rest.split(".")[0] != cluster.namespace:
        return None
    service = await cluster.get("Service", name)
    return service["spec"].get("selector") if service else None

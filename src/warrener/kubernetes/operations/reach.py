"""A queue on a broker in the cluster, as if it were here: through port-forwards that are opened for it."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from warrener.address import Address
from warrener.errors import BrokerUnreachable, ClusterUnreachable, ObjectMissing
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.client.port_forward import Forward
from warrener.kubernetes.manifests.names import VHOST, object_names
from warrener.kubernetes.manifests.pods import AUTHORITY_FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Inside of the pod, where the forward ends, these listen without TLS; the way there is the API server's, and encrypted.
_AMQP: Final = 5672
_MANAGEMENT: Final = 15672


class Login(msgspec.Struct, frozen=True):
    """A user of a broker, as a Secret keeps it."""

    username: str
    password: str
    host: str
    url: str
    vhost: str = VHOST


async def read_secret(cluster: Cluster, name: str) -> dict[str, str] | None:
    """What a Secret holds; None if there is no such Secret."""
    found = await cluster.get("Secret", name)
    if found is None:
        return None
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


async def login(cluster: Cluster, name: str) -> Login | None:
    """The user in a Secret of ours, of RabbitMQ's operator, or with just a URL; None if there is no such Secret.

    Raises:
        ObjectMissing: It holds no user.
    """
    entries = await read_secret(cluster, name)
    if entries is None:
        return None
    url = entries.get("url") or entries.get("connection_string", "")
    parts = urlsplit(url)
    user = entries.get("username") or unquote(parts.username or "")
    password = entries.get("password") or unquote(parts.password or "")
    host = entries.get("host") or parts.hostname or ""
    if not (user and password and host):
        raise ObjectMissing(
            f"Secret {name} has no user, password and host: it needs the key url, or username, password and host"
        )
    return Login(user, password, host, url, entries.get("vhost") or unquote(parts.path[1:]) or VHOST)


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
            f"`warrener k8s up --queue {queue} --namespace {cluster.namespace}`"
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

"""A broker that exists, tried before anything says that it is there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from warrener.brokers import connect
from warrener.brokers.rabbitmq.management import Management
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable, ObjectMissing
from warrener.kubernetes.manifests.setup import administrator
from warrener.kubernetes.operations.credentials import Login, login
from warrener.kubernetes.operations.reach import reached

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec


_INSIDE: Final = ". Only the cluster knows that name: from here use `warrener k8s render`, with --section secrets, then setup, then workers"


async def try_existing(cluster: Cluster, spec: Spec) -> None:
    """Log in to a broker as its administrator, over AMQP and to its management API, where the workers will find it.

    A host that only the cluster knows, and that is in another namespace, is tried by nobody here; the administrator's own is.

    Raises:
        ObjectMissing: There is no such Secret, or it holds no administrator.
        BrokerError: Nobody answers there, or the user is refused.
    """
    secret, _ = administrator(spec)
    who = await login(cluster, secret)
    if who is None:
        create = cluster.commands.kubectl(
            f"create secret generic {secret} --from-literal=url=amqp://USER:PASSWORD@HOST/"
        )
        raise ObjectMissing(
            f"there is no Secret {secret} in namespace {cluster.namespace}: make it with `{create}`, or correct --broker-secret"
        )
    where = urlsplit(spec.broker_address or "")
    host = where.hostname or ""
    option, there = f"--broker-address {spec.broker_address}", _at(who, where.scheme, where.netloc, host)
    if host != who.host and _is_elsewhere_inside(host, cluster.namespace):
        option, there = f"--broker-secret {secret}", who
    async with reached(cluster, there, spec.queue) as found:
        try:
            await _try(found, spec.broker.vhost)
        except BrokerUnreachable as error:
            inside = _is_elsewhere_inside(there.host, cluster.namespace)
            raise BrokerUnreachable(
                f"{option}: {error}; nothing was changed{_INSIDE if inside else ''}"
            ) from error


async def _try(address: Address, vhost: str) -> None:
    try:
        # Which virtual hosts there are, nobody knows yet: to be refused one is an answer, too.
        async with connect(address.on(vhost)):
            pass
    except BrokerUnreachable:
        raise
    except BrokerError:
        pass
    with closing(Management(address)) as management:
        if not await management.is_administrator():
            raise AccessRefused(
                f"user {address.credentials[0]!r} may not create users, for which it needs the tag 'administrator'"
            )


def _at(who: Login, scheme: str, netloc: str, host: str) -> Login:
    """The same user at another address."""
    user = urlsplit(who.url).netloc.rpartition("@")[0]
    url = urlsplit(who.url)._replace(scheme=scheme, netloc=f"{user}@{netloc}" if user else netloc).geturl()
    return msgspec.structs.replace(who, host=host, url=url)


def _is_elsewhere_inside(host: str, namespace: str) -> bool:
    """Whether a host is a Service of another namespace, by its name."""
    _, _, rest = host.partition(".")
    elsewhere, _, suffix = rest.partition(".")
    return elsewhere != namespace and suffix.split(".")[0] == "svc"

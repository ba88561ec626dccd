"""Users of a broker, as Secrets keep them: read, and made where they are missing."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from warrener.brokers.rabbitmq.access import ROLES
from warrener.errors import ClusterError, ObjectConflict, ObjectMissing
from warrener.kubernetes.manifests.names import PART_OF, QUEUE_ANNOTATION, VHOST
from warrener.kubernetes.manifests.users import access_secrets, new_passwords

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object


class Login(msgspec.Struct, frozen=True):
    """A user of a broker, as a Secret keeps it."""

    username: str
    password: str
    host: str
    url: str
    vhost: str = VHOST


async def read_secret(cluster: Cluster, name: str) -> dict[str, str] | None:
    """The texts that a Secret holds; None if there is no such Secret."""
    found = await cluster.get("Secret", name)
    if found is None:
        return None
    entries = {}
    for key, value in (found.get("data") or {}).items():
        with suppress(UnicodeDecodeError):  # a Secret of the user's may hold a key store beside the address
            entries[key] = base64.b64decode(value).decode()
    return entries


async def login(cluster: Cluster, name: str) -> Login | None:
    """The user in a Secret of ours, of RabbitMQ's operator, or with just a URL; None if there is no such Secret.

    Raises:
        ObjectMissing: It holds no user.
    """
    entries = await read_secret(cluster, name)
    if entries is None:
        return None
    url = entries.get("url") or entries.get("connection_string", "")
    parts = _split(name, url)
    user = entries.get("username") or unquote(parts.username or "")
    password = entries.get("password") or unquote(parts.password or "")
    host = entries.get("host") or parts.hostname or ""
    if not (user and password and host):
        raise ObjectMissing(
            f"Secret {name} has no user, password and host: it needs the key url, or username, password and host"
        )
    return Login(user, password, host, url, entries.get("vhost") or unquote(parts.path[1:]) or VHOST)


async def give_passwords(
    cluster: Cluster, spec: Spec, *, correct: bool = False
) -> dict[str, tuple[str, str]]:
    """Create the Secrets of a queue's users that are missing; name and password of each user, by role.

    Passwords stay: brokers and pods know them.

    Args:
        cluster: Where.
        spec: What is wanted.
        correct: Whether what Secrets that exist say of the broker, its address say, is corrected where it differs.

    Raises:
        ClusterError: The objects of another queue have the same names.
        ObjectMissing: A Secret holds no user.
    """
    for secret in access_secrets(spec, new_passwords()):
        found = await cluster.get("Secret", secret["metadata"]["name"])
        if found is None:
            with suppress(ObjectConflict):  # somebody else makes the same queue at this moment
                await cluster.create(secret)
            continue
        owner = (found["metadata"].get("annotations") or {}).get(QUEUE_ANNOTATION, spec.queue)
        if owner != spec.queue:
            raise ClusterError(
                f"queue {spec.queue!r} would share its objects' names with queue {owner!r} of this namespace: "
                "take another name, or another namespace"
            )
        if correct:
            await _correct(cluster, spec, found)
    return {role: await _user(cluster, spec.names.secret(role)) for role in ROLES}


async def queues_of(cluster: Cluster) -> list[str]:
    """The queues of a namespace that have users."""
    secrets = await cluster.list("Secret", {**PART_OF, "app.kubernetes.io/component": "setup"})
    queues = {(secret["metadata"].get("annotations") or {}).get(QUEUE_ANNOTATION) for secret in secrets}
    return sorted(queue for queue in queues if queue)


async def _correct(cluster: Cluster, spec: Spec, found: Object) -> None:
    """Let a Secret of ours say where the broker is now; its user and password stay."""
    name, has = found["metadata"]["name"], found.get("data") or {}
    password = base64.b64decode(has.get("password", "")).decode()
    made = {secret["metadata"]["name"]: secret["data"] for secret in access_secrets(spec, _each(password))}
    wanted = made[name]
    if "password" not in wanted or not password or has.get("username") != wanted["username"]:
        return  # it holds no user, or somebody else's
    changes = {key: value for key, value in wanted.items() if has.get(key) != value}
    if "tls" in has and "tls" not in wanted:
        changes["tls"] = None
    if changes:
        await cluster.patch("Secret", name, {"data": changes})


def _each(password: str) -> dict[str, str]:
    return dict.fromkeys(new_passwords(), password)


async def _user(cluster: Cluster, name: str) -> tuple[str, str]:
    entries = await read_secret(cluster, name) or {}
    if not (entries.get("username") and entries.get("password")):
        raise ObjectMissing(
            f"Secret {name} has no username and password: it is damaged, or somebody else's; if it is not needed, "
            f"remove it with `{cluster.commands.kubectl(f'delete secret {name}')}`, and run this again"
        )
    return entries["username"], entries["password"]


def _split(name: str, url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Not repeated here: it holds a password.
        raise ObjectMissing(f"Secret {name} has an address that cannot be read: mend its key url") from None

"""The users of the broker as Kubernetes keeps them: in Secrets, and in the definitions that a new broker reads."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from warrener.address import AUTHORITY
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq import topology
from warrener.brokers.rabbitmq.access import ADMINISTRATOR, ROLES, permissions
from warrener.kubernetes.manifests.names import ADMIN, BROKER, VHOST, broker_metadata
from warrener.kubernetes.manifests.pods import AUTHORITY_FILE, metadata
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.kubernetes.manifests.spec import Spec

DEFINITIONS: Final = "definitions.json"

_DEFAULT_PORTS: Final = {"amqp": 5672, "amqps": 5671}


def user_name(queue: str, role: str) -> str:
    """The user of a queue in one role."""
    return f"{queue}-{role}"


def new_passwords() -> dict[str, str]:
    """A new password for each role, and for the administrator."""
    return {role: secrets.token_urlsafe(24) for role in (*ROLES, ADMIN)}


def password_hash(password: str) -> str:
    """A password as RabbitMQ keeps it: base64 of a salt of four bytes and the SHA-256 of salt and password.

    The salt is made from the password, so that the same password gives the same manifest. Salts are there for
    passwords that somebody else may have too, and ours are random.
    """
    salt = hashlib.sha256(f"warrener {password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(spec: Spec, passwords: Mapping[str, str]) -> dict[str, Any]:
    """What RabbitMQ reads when it starts, before it lets anyone in: the users, and the queue with all it owns."""
    vhost = {"vhost": VHOST}
    durable = {"durable": True, "auto_delete": False}
    names = Names(spec.queue)
    delays = delay_schedule([RetryPolicy()])
    queues = topology.queue_arguments(names, spec.rabbitmq_version, delays)
    bindings = topology.bindings(names, delays)
    if spec.keep_logs:
        bindings.append(topology.output_binding(names))
        queues[bindings[-1].queue] = topology.output_arguments()
    users = {user_name(spec.queue, role): role for role in ROLES}
    allowed = {**permissions(spec.queue), ADMIN: ADMINISTRATOR}
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(passwords[role]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(allowed[role].tags),
            }
            for user, role in {ADMIN: ADMIN, **users}.items()
        ],
        "permissions": [
            {
                "user": user,
                **vhost,
                "configure": allowed[role].configure,
                "write": allowed[role].write,
                "read": allowed[role].read,
            }
            for user, role in {ADMIN: ADMIN, **users}.items()
        ],
        "exchanges": [
            {"name": name, **vhost, "type": kind, **durable, "internal": False, "arguments": {}}
            for name, kind in topology.exchanges(names).items()
        ],
        "queues": [
            {"name": name, **vhost, **durable, "arguments": arguments} for name, arguments in queues.items()
        ],
        "bindings": [
            {
                "source": binding.exchange,
                **vhost,
                "destination": binding.queue,
                "destination_type": binding.kind,
                "routing_key": binding.key,
                "arguments": {},
            }
            for binding in bindings
        ],
    }


def access_secrets(spec: Spec, passwords: Mapping[str, str]) -> list[dict[str, Any]]:
    """The Secrets of all roles and, for Warrener's own single node, of the administrator and the definitions.

    Args:
        spec: What is wanted.
        passwords: As `new_passwords` makes them.
    """
    found = [
        _secret(metadata(spec, spec.names.secret(role), role), _credentials(spec, role, passwords[role]))
        for role in ROLES
    ]
    if spec.rabbitmq == "statefulset":
        address = _address(spec, ADMIN, passwords[ADMIN])
        text = json.dumps(definitions(spec, passwords), indent=1)
        found += [
            _secret(broker_metadata(spec.namespace, f"{BROKER}-admin"), address),
            _secret(broker_metadata(spec.namespace, f"{BROKER}-definitions"), {DEFINITIONS: text}),
        ]
    return found


def _credentials(spec: Spec, role: str, password: str) -> dict[str, str]:
    entries = _address(spec, user_name(spec.queue, role), password)
    if role == "watcher":
        entries["management"] = spec.broker.management_url
        if spec.tls_secret:
            entries["tls"] = "enable"  # KEDA reads it from here, and from nowhere else
    return entries


def _address(spec: Spec, user: str, password: str) -> dict[str, str]:
    broker = spec.broker
    url = urlsplit(broker.broker)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    who = f"{quote(user, safe='')}:{quote(password, safe='')}"
    where = url.netloc if url.port else f"{url.netloc}:{port}"
    return {
        "url": f"{url.scheme}://{who}@{where}/{quote(broker.vhost, safe='')}{_authority(spec)}",
        "username": user,
        "password": password,
        "host": url.hostname or "",
        "port": str(port),
        "vhost": broker.vhost,
    }


def _authority(spec: Spec) -> str:
    return f"?{AUTHORITY}={AUTHORITY_FILE}" if spec.tls_secret else ""


def _secret(about: dict[str, Any], entries: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": about,
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()},
    }

"""A broker in a double of a cluster: its pod, its Secrets, and who may use it."""

from __future__ import annotations

import base64
import os
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.kubernetes.specs import small_spec
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.operations.credentials import Login, login

if TYPE_CHECKING:
    from tests.kubernetes.double import Double
    from tests.operator import Operator
    from warrener.kubernetes.manifests.spec import Spec

POD = f"{BROKER}-0"
VHOST = "warrener"
# Other processes test beside this one, on the same virtual host.
OURS = f"it_{os.getpid():x}_"


def quiet(_: str) -> None:
    """Nobody is told."""


def admin(server: Operator) -> dict[str, str]:
    who = server.url
    host = f"{BROKER}.batch.svc"
    return {
        "username": who.username or "",
        "password": who.password or "",
        "host": host,
        "url": f"amqp://{who.username}:{who.password}@{host}:5672/{VHOST}",
        "vhost": VHOST,
    }


def keep_secret(cluster: Double, name: str, **entries: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    cluster.objects["Secret", name] = {"kind": "Secret", "metadata": {"name": name}, "data": data}


def broker_pod(cluster: Double, *, ready: bool = True) -> dict[str, Any]:
    owner = cluster.objects["StatefulSet", BROKER]
    status = {"type": "Ready", "status": str(ready)}
    pod = {
        "kind": "Pod",
        "metadata": {"name": POD, **owner["spec"]["template"]["metadata"]},
        "spec": owner["spec"]["template"]["spec"],
        "status": {"phase": "Running", "conditions": [status]},
    }
    cluster.objects["Pod", POD] = pod
    return pod


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def a_spec(**changes: Any) -> Spec:
    return small_spec(queue=f"{OURS}{uuid.uuid4().hex[:8]}", **changes)


async def of_part(cluster: Double, wanted: Spec, part: str) -> Login:
    found = await login(cluster, wanted.names.secret(part))
    assert found
    return found

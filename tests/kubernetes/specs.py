"""The specs whose manifests are kept as golden files: for each file a spec and the sections rendered of it."""

from __future__ import annotations

from typing import Any, Final

from warrener.brokers.rabbitmq.access import ROLES as USERS
from warrener.kubernetes.manifests.code import Code
from warrener.kubernetes.manifests.cron import Schedule
from warrener.kubernetes.manifests.names import ADMIN
from warrener.kubernetes.manifests.spec import Spec
from warrener.worker.manifest import ChildSettings

PASSWORDS: Final = {part: f"password-of-{part}" for part in (*USERS, ADMIN)}

_EXISTING: Final[dict[str, Any]] = {
    "rabbitmq": "existing",
    "broker_secret": "mq:connection_string",
    "broker_address": "amqps://mq.example.com/jobs",
}
_PATCH: Final = {
    "metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
    "spec": {
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "nodeSelector": {"disk": "ssd"},
        "enableServiceLinks": None,
        "containers": [
            {
                "name": "worker",
                "env": [{"name": "LEVEL", "value": "debug"}, {"name": "HOME", "value": "/scratch"}],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }
        ],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "5Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        ],
    },
}


def small_spec(**changes: Any) -> Spec:
    """A small spec with a fixed image, since the usual one changes with each version."""
    return Spec(**{"queue": "images", "namespace": "batch", "image": "warrener:1.2.3", **changes})


SPECS: Final[dict[str, tuple[Spec, tuple[str, ...]]]] = {
    "statefulset": (small_spec(), ("broker",)),
    "statefulset-tls": (
        small_spec(tls_secret="mq-tls", storage_class="fast", broker_memory="4Gi"),
        ("broker",),
    ),
    "statefulset-setup": (small_spec(), ("setup",)),
    "operator": (small_spec(rabbitmq="operator"), ("broker", "setup")),
    "operator-tls": (
        small_spec(rabbitmq="operator", tls_secret="mq-tls", storage_class="fast"),
        ("broker", "setup"),
    ),
    "existing": (small_spec(**_EXISTING, code=Code(b"zip", "pillow\n")), ("setup",)),
    "workers": (small_spec(), ("workers",)),
    "workers-code": (
        small_spec(child=ChildSettings("app:app"), parallelism=20, code=Code(b"zip", "pillow\n")),
        ("check", "workers"),
    ),
    "workers-command": (
        small_spec(
            child=ChildSettings(
                command="./resize.sh {data.file} $(nproc) | tee {id}", is_shell=True, timeout=60, retries=5
            ),
            code=Code(files={"resize.sh": b"#!/bin/sh\n"}),
            memory="1Gi",
            max_memory=300,
        ),
        ("setup", "check", "workers"),
    ),
    "workers-async": (
        small_spec(child=ChildSettings("app", concurrency=100, threads=8, spawn=True)),
        ("workers",),
    ),
    "workers-patch": (small_spec(patch=_PATCH), ("workers",)),
    "workers-egress": (small_spec(egress=("10.0.0.0/8", "2001:db8::/32")), ("workers",)),
    "workers-tls": (small_spec(tls_secret="mq-tls"), ("workers",)),
    "workers-kueue": (small_spec(kueue="team"), ("workers",)),
    "workers-resumed": (small_spec(queue="Images_2.large", round=3), ("workers",)),
    "keda": (small_spec(autoscale="keda", parallelism=50), ("workers",)),
    "keda-tls": (small_spec(autoscale="keda", tls_secret="mq-tls"), ("workers",)),
    "schedule": (
        small_spec(
            child=ChildSettings("app:app"),
            code=Code(b"zip"),
            parallelism=20,
            memory="2Gi",
            patch=_PATCH,
            schedule=Schedule(
                cron="0 2 * * mon-fri",
                tasks=("/data/$(date).csv", "--type", "resize"),
                time_zone="Europe/Vienna",
                volume="images",
            ),
        ),
        ("workers",),
    ),
    "schedule-url": (
        small_spec(
            tls_secret="mq-tls", schedule=Schedule(cron="@daily", tasks=("https://example.com/tasks.jsonl",))
        ),
        ("workers",),
    ),
    "monitoring": (small_spec(), ("monitoring",)),
    "ui": (small_spec(code=Code(b"zip"), patch=_PATCH), ("ui",)),
    "ui-existing": (small_spec(**_EXISTING, tls_secret="mq-tls"), ("ui",)),
    "secrets": (small_spec(), ("secrets",)),
    "secrets-tls": (small_spec(tls_secret="mq-tls"), ("secrets",)),
    "secrets-existing": (small_spec(**_EXISTING), ("secrets",)),
}

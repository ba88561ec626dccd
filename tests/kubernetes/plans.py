"""The plans whose manifests are kept as golden files: for each file a plan and the parts rendered of it."""

from __future__ import annotations

from typing import Any, Final

from warrener.brokers.rabbitmq.access import PARTS as USERS
from warrener.kubernetes.code import Code
from warrener.kubernetes.names import ADMIN
from warrener.kubernetes.plan import Plan

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


def plan(**changes: Any) -> Plan:
    """A small plan with a fixed image, since the usual one changes with each version."""
    return Plan(**{"queue": "images", "namespace": "batch", "image": "warrener:1.2.3", **changes})


PLANS: Final[dict[str, tuple[Plan, tuple[str, ...]]]] = {
    "statefulset": (plan(), ("broker",)),
    "statefulset-tls": (plan(tls_secret="mq-tls", storage_class="fast", broker_memory="4Gi"), ("broker",)),
    "statefulset-setup": (plan(), ("setup",)),
    "operator": (plan(rabbitmq="operator"), ("broker", "setup")),
    "operator-tls": (
        plan(rabbitmq="operator", tls_secret="mq-tls", storage_class="fast"),
        ("broker", "setup"),
    ),
    "existing": (plan(**_EXISTING, code=Code(b"zip", "pillow\n")), ("setup",)),
    "workers": (plan(), ("workers",)),
    "workers-code": (
        plan(app="app:app", parallelism=20, code=Code(b"zip", "pillow\n")),
        ("check", "workers"),
    ),
    "workers-patch": (plan(patch=_PATCH), ("workers",)),
    "workers-egress": (plan(egress=("10.0.0.0/8", "2001:db8::/32")), ("workers",)),
    "workers-tls": (plan(tls_secret="mq-tls"), ("workers",)),
    "workers-kueue": (plan(kueue="team"), ("workers",)),
    "workers-resumed": (plan(queue="Images_2.large", round=3), ("workers",)),
    "keda": (plan(autoscale="keda", parallelism=50), ("workers",)),
    "keda-tls": (plan(autoscale="keda", tls_secret="mq-tls"), ("workers",)),
    "secrets": (plan(), ("secrets",)),
    "secrets-tls": (plan(tls_secret="mq-tls"), ("secrets",)),
    "secrets-existing": (plan(**_EXISTING), ("secrets",)),
}

"""RabbitMQ as one node of our own, for development and small runs.

It follows the decisions of RabbitMQ's cluster operator. Several nodes are left to that operator.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.names import BROKER, broker_metadata, labels, selector
from warrener.kubernetes.manifests.pods import FILE_MODE, LOCKED, pod_security
from warrener.kubernetes.manifests.users import DEFINITIONS
from warrener.kubernetes.quantities import quantity

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

CONTAINER: Final = "rabbitmq"
GRACE: Final = 120

_USER: Final = 999
_PLUGINS: Final = "[rabbitmq_management,rabbitmq_prometheus].\n"
_COMMON: Final = f"""\
loopback_users.guest = true
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
log.console = true
log.file = false
definitions.import_backend = local_filesystem
definitions.local.path = /etc/rabbitmq/definitions/{DEFINITIONS}
"""
_PLAIN: Final = """\
listeners.tcp.default = 5672
management.tcp.port = 15672
"""
# What is not encrypted listens inside of the pod alone, where a port-forward ends.
_TLS: Final = """\
listeners.tcp.local = 127.0.0.1:5672
management.tcp.ip = 127.0.0.1
management.tcp.port = 15672
listeners.ssl.default = 5671
ssl_options.certfile = /etc/rabbitmq/tls/tls.crt
ssl_options.keyfile = /etc/rabbitmq/tls/tls.key
management.ssl.port = 15671
management.ssl.certfile = /etc/rabbitmq/tls/tls.crt
management.ssl.keyfile = /etc/rabbitmq/tls/tls.key
"""


def config(spec: Spec) -> dict[str, Any]:
    """The ConfigMap with the node's settings and plugins."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": broker_metadata(spec.namespace, f"{BROKER}-config"),
        "data": {"10-warrener.conf": settings(spec), "enabled_plugins": _PLUGINS},
    }


def settings(spec: Spec) -> str:
    """The node's rabbitmq.conf."""
    memory = int(quantity(spec.broker_memory) or 0)
    # The limit of the container is not always seen, and Erlang needs room beside the broker.
    limits = {
        "total_memory_available_override_value": memory * 8 // 10,
        "disk_free_limit.absolute": min(memory, int(quantity(spec.storage) or 0) // 5),
    }
    return (
        _COMMON
        + "".join(f"{key} = {value}\n" for key, value in limits.items())
        + (_TLS if spec.tls_secret else _PLAIN)
    )


def services(spec: Spec) -> list[dict[str, Any]]:
    """The Service for clients, and the headless one that a StatefulSet has to have."""
    pods = selector(BROKER, "broker")
    clients = [
        {"name": "amqps" if spec.tls_secret else "amqp", "port": spec.amqp_port},
        {"name": "https" if spec.tls_secret else "http", "port": spec.management_port},
    ]
    nodes = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": pods,
        "ports": [{"name": "epmd", "port": 4369}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": broker_metadata(spec.namespace, name),
            "spec": service,
        }
        for name, service in ((BROKER, {"selector": pods, "ports": clients}), (f"{BROKER}-nodes", nodes))
    ]


def statefulset(spec: Spec) -> dict[str, Any]:
    """The node."""
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": spec.storage}},
    }
    if spec.storage_class:
        claim["storageClassName"] = spec.storage_class
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": broker_metadata(spec.namespace),
        "spec": {
            "replicas": 1,
            "serviceName": f"{BROKER}-nodes",
            "podManagementPolicy": "Parallel",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "selector": {"matchLabels": selector(BROKER, "broker")},
            "template": {
                "metadata": {
                    "labels": labels(BROKER, "broker"),
                    "annotations": {
                        "warrener/config": hashlib.sha256(settings(spec).encode()).hexdigest()[:8]
                    },
                },
                "spec": _pod(spec),
            },
            "volumeClaimTemplates": [
                {"metadata": {"name": "data", "labels": labels(BROKER, "broker")}, "spec": claim}
            ],
        },
    }


def _pod(spec: Spec) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "home", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "config", "configMap": {"name": f"{BROKER}-config"}},
        _secret("definitions", f"{BROKER}-definitions"),
    ]
    if spec.tls_secret:
        volumes.append(_secret("tls", spec.tls_secret))
    return {
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(_USER),
        "containers": [_container(spec)],
        "volumes": volumes,
    }


def _container(spec: Spec) -> dict[str, Any]:
    answers = {"tcpSocket": {"port": spec.amqp_port}, "timeoutSeconds": 5, "periodSeconds": 10}
    mounts = [
        _file("10-warrener.conf", "conf.d/10-warrener.conf"),
        _file("enabled_plugins", "enabled_plugins"),
        {"name": "definitions", "mountPath": "/etc/rabbitmq/definitions", "readOnly": True},
    ]
    if spec.tls_secret:
        mounts.append({"name": "tls", "mountPath": "/etc/rabbitmq/tls", "readOnly": True})
    return {
        "name": CONTAINER,
        "image": spec.rabbitmq_image,
        "ports": [
            {"name": "amqp", "containerPort": spec.amqp_port},
            {"name": "management", "containerPort": spec.management_port},
            {"name": "prometheus", "containerPort": 15692},
        ],
        "resources": {
            "requests": {"cpu": spec.broker_cpu or "500m", "memory": spec.broker_memory},
            "limits": {"memory": spec.broker_memory},
        },
        "startupProbe": {**answers, "failureThreshold": 30},
        "readinessProbe": {**answers, "failureThreshold": 3},
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "home", "mountPath": "/var/lib/rabbitmq"},
            {"name": "data", "mountPath": "/var/lib/rabbitmq/mnesia"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in a pod of its own
            *mounts,
        ],
    }


def _file(key: str, path: str) -> dict[str, Any]:
    return {"name": "config", "mountPath": f"/etc/rabbitmq/{path}", "subPath": key, "readOnly": True}


def _secret(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": FILE_MODE}}

"""RabbitMQ as three nodes that RabbitMQ's own cluster operator runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warrener.kubernetes.manifests.names import BROKER, broker_metadata

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec


def cluster(spec: Spec) -> dict[str, Any]:
    """What the operator is asked for."""
    persistence = {"storage": spec.storage}
    if spec.storage_class:
        persistence["storageClassName"] = spec.storage_class
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "RabbitmqCluster",
        "metadata": broker_metadata(spec.namespace),
        "spec": {
            "replicas": 3,
            "image": spec.rabbitmq_image,
            "resources": {
                "requests": {"cpu": spec.broker_cpu or "1", "memory": spec.broker_memory},
                "limits": {"memory": spec.broker_memory},
            },
            "persistence": persistence,
            **({"tls": {"secretName": spec.tls_secret}} if spec.tls_secret else {}),
        },
    }


def disruption_budget(spec: Spec) -> dict[str, Any]:
    """Nodes of the cluster may be drained one at a time, so that a quorum is always there."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": broker_metadata(spec.namespace),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": BROKER}}},
    }

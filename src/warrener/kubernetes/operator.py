"""RabbitMQ as three nodes that RabbitMQ's own cluster operator runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warrener.kubernetes.names import BROKER, broker_metadata

if TYPE_CHECKING:
    from warrener.kubernetes.plan import Plan


def cluster(plan: Plan) -> dict[str, Any]:
    """What the operator is asked for."""
    persistence = {"storage": plan.storage}
    if plan.storage_class:
        persistence["storageClassName"] = plan.storage_class
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "RabbitmqCluster",
        "metadata": broker_metadata(plan.namespace),
        "spec": {
            "replicas": 3,
            "image": plan.rabbitmq_image,
            "resources": {
                "requests": {"cpu": "1", "memory": plan.broker_memory},
                "limits": {"memory": plan.broker_memory},
            },
            "persistence": persistence,
            **({"tls": {"secretName": plan.tls_secret}} if plan.tls_secret else {}),
        },
    }


def disruption_budget(plan: Plan) -> dict[str, Any]:
    """Nodes of the cluster may be drained one at a time, so that a quorum is always there."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": broker_metadata(plan.namespace),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": BROKER}}},
    }

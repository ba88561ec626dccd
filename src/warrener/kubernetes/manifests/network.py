"""Who may reach the broker, and how workers reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.names import BROKER, PART_OF, broker_metadata, selector

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

# What is compared is the port of the server's pod, not of its Service: 53 as a rule, 5353 on OpenShift.
DNS: Final[dict[str, Any]] = {
    "ports": [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")]
}

_CLIENTS: Final = ["worker", "check", "setup", "schedule", "producer", "collector", "watcher", "page"]
# epmd, the nodes' own connections, copies of streams, and connections of rabbitmqctl.
_AMONG_NODES: Final = [
    {"port": 4369},
    {"port": 25672},
    {"port": 6000, "endPort": 6500},
    {"port": 35672, "endPort": 35682},
]


def broker_network(spec: Spec) -> dict[str, Any]:
    """Only clients of Warrener may reach the broker; KEDA and RabbitMQ's operator, where it made it, the management API."""
    clients = {
        "podSelector": {
            "matchLabels": PART_OF,
            "matchExpressions": [
                {"key": "app.kubernetes.io/component", "operator": "In", "values": _CLIENTS}
            ],
        }
    }
    managing = [clients, _namespace("keda")]
    ingress = [
        {"from": [clients], "ports": [{"port": spec.amqp_port}]},
        {"from": managing, "ports": [{"port": spec.management_port}]},
    ]
    pods = _broker_pods(spec)
    if spec.rabbitmq == "operator":
        managing.append(_namespace("rabbitmq-system"))  # asks each node how it is
        ingress.append({"from": [{"podSelector": pods}], "ports": _AMONG_NODES})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": broker_metadata(spec.namespace),
        "spec": {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress},
    }


def brokers(spec: Spec) -> list[dict[str, Any]]:
    """The egress rule that leads to Warrener's own broker; an existing one is among the user's networks.

    To its management API, too: a worker's user is refused there at once, and without an answer a worker would wait for one before it leaves.
    """
    if spec.rabbitmq == "existing":
        return []
    ports = [{"port": spec.amqp_port}, {"port": spec.management_port}]
    return [{"to": [{"podSelector": _broker_pods(spec)}], "ports": ports}]


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _broker_pods(spec: Spec) -> dict[str, Any]:
    if spec.rabbitmq == "operator":  # which labels its pods itself
        return {"matchLabels": {"app.kubernetes.io/name": BROKER}}
    return {"matchLabels": selector(BROKER, "broker")}

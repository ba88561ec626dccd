"""The page in the cluster: a Deployment that looks at the queue as its watcher, and that nobody in the cluster may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from warrener.kubernetes.manifests.names import selector
from warrener.kubernetes.manifests.network import DNS, brokers
from warrener.kubernetes.manifests.pods import metadata, pod_template

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

PORT: Final = 8377
COMPONENT: Final = "page"
_MEMORY: Final = "512Mi"
_CPU: Final = "100m"


def deployment(spec: Spec) -> dict[str, Any]:
    """One pod with `warrener ui`. It prints its link, with a token that is another one at each start."""
    args = ["ui", "--queue", spec.queue, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104 - with a token
    # It runs nothing of the app's, so it needs neither its code nor what the user's patch gives workers.
    own = replace(spec, code=None, patch=None, memory=_MEMORY, max_memory=None, cpu=_CPU, grace=0)
    template = pod_template(own, COMPONENT, args, (spec.names.secret("watcher"), "url"))
    pod = template["spec"] | {"restartPolicy": "Always"}
    probe = {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 10, "timeoutSeconds": 5}
    (container,) = pod["containers"]
    pod["containers"] = [
        {
            **container,
            "ports": [{"name": "http", "containerPort": PORT}],
            "readinessProbe": probe,
            "livenessProbe": {**probe, "failureThreshold": 6},
        }
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(spec, f"{spec.names.base}-page", COMPONENT),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(spec.names.base, COMPONENT)},
            "template": {**template, "spec": pod},
        },
    }


def network(spec: Spec) -> dict[str, Any]:
    """Nobody in the cluster may call it, a port-forward comes from its node; it calls the broker."""
    policy: dict[str, Any] = {
        "podSelector": {"matchLabels": selector(spec.names.base, COMPONENT)},
        "policyTypes": ["Ingress"],
        "ingress": [],
    }
    if to_broker := brokers(spec):
        policy |= {"policyTypes": ["Ingress", "Egress"], "egress": [DNS, *to_broker]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(spec, f"{spec.names.base}-page", COMPONENT),
        "spec": policy,
    }

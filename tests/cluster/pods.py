"""Pods of the tests' own: each runs a program of Python, as fit for a namespace that is `restricted` as Warrener's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warrener.kubernetes.manifests.pods import LOCKED, pod_security

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster


def start(
    place: Place,
    name: str,
    program: str,
    *,
    labels: Mapping[str, str] | None = None,
    claim: str | None = None,
    port: int | None = None,
) -> None:
    """Start one.

    Args:
        place: Where.
        name: Its name.
        program: What it runs.
        labels: What it carries.
        claim: The volume that it has as `/data`.
        port: Where it listens, so that it is ready once it does.
    """
    container: dict[str, Any] = {
        "name": "main",
        "image": place.image,
        "command": ["python", "-c", program],
        "securityContext": LOCKED,
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": pod_security(10001),
        "containers": [container],
    }
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    if port:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    metadata = {"name": name, "labels": dict(labels or {})}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    place.ask(lambda cluster: cluster.create(pod))


def output(place: Place, name: str) -> str:
    """What one has printed, once it has ended well."""

    async def ask(cluster: Cluster) -> str:
        found = await cluster.get("Pod", name)
        phase = (found or {}).get("status", {}).get("phase")
        assert phase != "Failed"
        if phase != "Succeeded":
            return ""
        return "\n".join([line async for line in cluster.logs(name)]) + "\n"

    return place.until(ask)

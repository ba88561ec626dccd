"""What happens to pods of a real cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.kubernetes.client import kinds

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster


async def evict(cluster: Cluster, pod: str) -> None:
    """As a drained node does."""
    path = f"{kinds.path('Pod', cluster.namespace)}/{pod}/eviction"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": cluster.namespace},
    }
    (await cluster._requests.http.post(path, json=eviction)).raise_for_status()


async def kill(cluster: Cluster, pod: str) -> None:
    """Without the time to end."""
    path = f"{kinds.path('Pod', cluster.namespace)}/{pod}"
    answer = await cluster._requests.http.delete(path, params={"gracePeriodSeconds": 0})
    answer.raise_for_status()

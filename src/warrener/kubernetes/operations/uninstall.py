"""The broker and the workers removed from a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.errors import ObjectMissing
from warrener.kubernetes.manifests.names import PART_OF

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster

_JOBS: Final = ("Job", "ScaledJob", "TriggerAuthentication", "ConfigMap", "NetworkPolicy")
_BROKER_OBJECTS: Final = (
    "RabbitmqCluster",
    "StatefulSet",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
)


async def uninstall(cluster: Cluster, *, purge: bool) -> list[str]:
    """Remove the broker and all workers; what was removed.

    Args:
        cluster: Where.
        purge: Whether to remove the data and the passwords, too. Otherwise a new broker finds them again.
    """
    kinds = [*_JOBS, *_BROKER_OBJECTS, *(("PersistentVolumeClaim", "Secret") if purge else ())]
    removed = []
    for kind in dict.fromkeys(kinds):
        for found in await _ours(cluster, kind):
            name = found["metadata"]["name"]
            await cluster.delete(kind, name)
            removed.append(f"{kind} {name}")
    return removed


async def _ours(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    try:
        return await cluster.list(kind, PART_OF)
    except ObjectMissing:  # a kind that this cluster does not have
        return []

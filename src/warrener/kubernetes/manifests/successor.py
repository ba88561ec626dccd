"""A Job of workers like the one before it, and the size of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.workers import max_failed

if TYPE_CHECKING:
    from warrener.kubernetes.objects import Object

# What Kubernetes wrote into a Job, and a new one must not bring.
_WRITTEN_LABELS: Final = ("controller-uid", "job-name")
# What Kueue writes into the pods' template of a Job that it admits; it admits none that brings another one's.
_KUEUE: Final = "kueue.x-k8s.io/"
_ADMITTED: Final = {
    _KUEUE + key
    for key in ("cluster-queue-name", "local-queue-name", "podset", "workload", "workload-slice-name")
}


def size(parallelism: int) -> dict[str, int]:
    """All three at once: slots and workers must stay equal, and no more slots may fail than there are."""
    return {
        "parallelism": parallelism,
        "completions": parallelism,
        "maxFailedIndexes": max_failed(parallelism),
    }


def successor(last: Object, name: str, parallelism: int | None) -> Object:
    """A new Job with what a person wrote into the last one.

    Args:
        last: The last one, as the cluster has it.
        name: The new one's name.
        parallelism: How many workers; None for as many.
    """
    spec = {key: value for key, value in last["spec"].items() if key not in ("selector", "suspend")}
    if parallelism:
        spec |= size(parallelism)
    template = spec["template"]
    spec["template"] = {**template, "metadata": _own(template["metadata"])}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": last["metadata"]["namespace"], **_own(last["metadata"])},
        "spec": spec,
    }


def _own(metadata: dict[str, Any]) -> dict[str, Any]:
    labels = {
        key: value
        for key, value in (metadata.get("labels") or {}).items()
        if key.removeprefix("batch.kubernetes.io/") not in _WRITTEN_LABELS and key not in _ADMITTED
    }
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith("batch.kubernetes.io/") and key not in _ADMITTED
    }
    return {"labels": labels, "annotations": annotations}

"""The workers of a queue on a cluster: started, looked at, resized, stopped and resumed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from warrener.errors import ClusterError, ObjectMissing, UsageError
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis, PodCounts, diagnose, job_state, pods_summary
from warrener.kubernetes.manifests.names import (
    MAX_PARALLELISM,
    MAX_ROUND,
    ObjectNames,
    object_names,
    selector,
)
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.workers import max_failed

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec

State = Literal["running", "suspended", "finishing", "complete", "failed"]

_KUEUE: Final = "kueue.x-k8s.io/queue-name"
# What Kubernetes wrote into a Job, and a new one must not bring.
_WRITTEN_LABELS: Final = ("controller-uid", "job-name")


class WorkerJob(msgspec.Struct, frozen=True):
    """One look at the workers of a queue.

    Args:
        job: Their Job's name.
        state: How far the Job is; `complete` and `failed` are its ends.
        pods: How many do what.
        diagnoses: What stands in their way, what is fatal first.
    """

    job: str
    state: State
    pods: PodCounts
    diagnoses: tuple[Diagnosis, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nobody works or will, as it is; a Job that Kueue has not admitted yet will."""
        is_stopped = self.state in ("complete", "failed", "suspended") and not self.pods.running
        return is_stopped and all(diagnosis.reason != "NotAdmitted" for diagnosis in self.diagnoses)

    @property
    def is_stuck(self) -> bool:
        """Whether nobody works, and waiting cannot help."""
        return not self.pods.running and any(diagnosis.fatal for diagnosis in self.diagnoses)


async def look(cluster: Cluster, queue: str) -> WorkerJob | None:
    """The newest Job of a queue and its pods; None if it has none."""
    job = await _newest(cluster, object_names(queue))
    return await look_at(cluster, job) if job else None


async def look_at(cluster: Cluster, job: dict[str, Any]) -> WorkerJob:
    """A Job, its pods, and what is in their way."""
    name = job["metadata"]["name"]
    # By its uid, since a Job of the same name may have left pods that are still on their way out.
    pods = await cluster.list("Pod", {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
    events = await cluster.events("Job", name)
    for pod in pods:
        if pod.get("status", {}).get("phase") == "Pending":
            events += await cluster.events("Pod", pod["metadata"]["name"])
    wanted = job["spec"].get("parallelism", 1)
    return WorkerJob(name, job_state(job), pods_summary(pods, wanted), tuple(diagnose(job, pods, events)))


async def start(cluster: Cluster, spec: Spec) -> str:
    """Start a Job of workers; its name.

    Raises:
        ClusterError: Workers of this queue are at work already.
    """
    newest = await free(cluster, spec.queue)
    spec = msgspec.structs.replace(spec, round=_next_round(newest, spec.names))
    name = spec.names.workers(spec.round)
    await cluster.delete("Job", name)  # one of the last time round
    for manifest in render(spec, ["workers"]):
        await cluster.apply(manifest)
    if newest and _is_cancelled(newest):  # or it could be resumed beside the new one
        await cluster.delete("Job", newest["metadata"]["name"])
    return name


async def free(cluster: Cluster, queue: str) -> dict[str, Any] | None:
    """The newest Job of a queue that has no workers now, because they ended or were cancelled; None if it never had any.

    Raises:
        ClusterError: It has workers, or will have.
    """
    newest = await _newest(cluster, object_names(queue))
    if newest is None or job_state(newest) in ("complete", "failed") or _is_cancelled(newest):
        return newest
    raise ClusterError(
        f"queue {queue!r} has workers already (Job {newest['metadata']['name']}): see `warrener k8s status`, resize them with "
        "`warrener k8s scale`, or stop them with `warrener k8s cancel`"
    )


async def scale(cluster: Cluster, queue: str, parallelism: int) -> str:
    """Resize the workers; those that go hand their tasks back. The Job's name.

    Raises:
        UsageError: The number is out of range.
        ObjectMissing: There are no workers.
        ClusterError: They have ended.
    """
    if not 1 <= parallelism <= MAX_PARALLELISM:
        raise UsageError(
            f"{parallelism} workers are out of range: use 1 to {MAX_PARALLELISM}, or `warrener k8s cancel`"
        )
    job = await _working(cluster, queue)
    await cluster.patch("Job", job["metadata"]["name"], {"spec": _size(parallelism)})
    return str(job["metadata"]["name"])


async def cancel(cluster: Cluster, queue: str) -> str:
    """Stop the workers, who hand their tasks back; the queue and the Job stay, to be resumed. The Job's name.

    Raises:
        ObjectMissing: There are no workers.
        ClusterError: They have ended.
    """
    job = await _working(cluster, queue)
    name = str(job["metadata"]["name"])
    if _is_kueues(job):
        await cluster.delete("Job", name)  # Kueue would start a suspended one again
    else:
        await cluster.patch("Job", name, {"spec": {"suspend": True}})
    return name


async def resume(cluster: Cluster, queue: str, parallelism: int | None = None) -> str:
    """Start a new Job on the same queue, like the last one; the new one's name.

    Raises:
        ObjectMissing: There was no Job, or it is forgotten.
        ClusterError: Its workers are still at work.
    """
    names = object_names(queue)
    last = await _newest(cluster, names)
    if last is None:
        raise ObjectMissing(
            f"queue {queue!r} has no Job in namespace {cluster.namespace} to go on from: use `warrener k8s submit`"
        )
    if job_state(last) in ("running", "finishing"):
        raise ClusterError(f"the workers of queue {queue!r} are at work: see `warrener k8s status`")
    name = names.workers(_next_round(last, names))
    await cluster.delete("Job", name)  # one of the last time round
    await cluster.create(_successor(last, name, parallelism))
    await cluster.delete("Job", last["metadata"]["name"])
    return name


async def until_gone(cluster: Cluster, job: str) -> None:
    """Wait until the last pod of a stopped Job has ended."""
    while True:
        pods = await cluster.list("Pod", {"batch.kubernetes.io/job-name": job})
        if not any(pod.get("status", {}).get("phase", "Pending") in ("Running", "Pending") for pod in pods):
            return
        await asyncio.sleep(1)


def _size(parallelism: int) -> dict[str, int]:
    """All three at once: slots and workers must stay equal, and no more slots may fail than there are."""
    return {
        "parallelism": parallelism,
        "completions": parallelism,
        "maxFailedIndexes": max_failed(parallelism),
    }


def _successor(last: dict[str, Any], name: str, parallelism: int | None) -> dict[str, Any]:
    spec = {key: value for key, value in last["spec"].items() if key not in ("selector", "suspend")}
    if parallelism:
        spec |= _size(parallelism)
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
        if key.removeprefix("batch.kubernetes.io/") not in _WRITTEN_LABELS
    }
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith("batch.kubernetes.io/")
    }
    return {"labels": labels, "annotations": annotations}


def _is_cancelled(job: dict[str, Any]) -> bool:
    return job_state(job) == "suspended" and not _is_kueues(job)


def _is_kueues(job: dict[str, Any]) -> bool:
    return _KUEUE in (job["metadata"].get("labels") or {})


async def _working(cluster: Cluster, queue: str) -> dict[str, Any]:
    job = await _newest(cluster, object_names(queue))
    if job is None:
        raise ObjectMissing(f"queue {queue!r} has no workers in namespace {cluster.namespace}")
    if (state := job_state(job)) in ("complete", "failed"):
        raise ClusterError(
            f"the workers of queue {queue!r} have ended (Job {job['metadata']['name']} is {state}): "
            "start new ones with `warrener k8s resume`"
        )
    return job


async def _newest(cluster: Cluster, names: ObjectNames) -> dict[str, Any] | None:
    jobs = await cluster.list("Job", selector(names.base, "worker"))
    jobs = [job for job in jobs if not job["metadata"].get("deletionTimestamp")]
    return max(
        jobs,
        key=lambda job: (job["metadata"].get("creationTimestamp", ""), _round(job, names)),
        default=None,
    )


def _next_round(newest: dict[str, Any] | None, names: ObjectNames) -> int:
    # Names have room for so many digits; by then the first Jobs are long forgotten.
    return _round(newest, names) % MAX_ROUND + 1 if newest else 1


def _round(job: dict[str, Any], names: ObjectNames) -> int:
    rest = job["metadata"]["name"].removeprefix(names.standing).lstrip("-")
    return int(rest) if rest.isdigit() else 1

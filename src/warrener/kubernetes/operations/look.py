"""One look at the workers of a queue: their Job, its pods, and what is in their way."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import ClusterRefused, ObjectMissing
from warrener.kubernetes.diagnosis.counts import PodCounts, count_pods
from warrener.kubernetes.diagnosis.diagnose import diagnose
from warrener.kubernetes.diagnosis.jobs import JobState, job_state
from warrener.kubernetes.diagnosis.pods import (
    NOT_MOUNTED,
    PULLING,
    claims_of,
    is_bound,
    is_pending,
    pulling,
    unbound,
)
from warrener.kubernetes.manifests.names import PART_OF, ObjectNames, object_names, selector
from warrener.kubernetes.manifests.scheduled import COMPONENT as SCHEDULE

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.objects import Object


_KEDA: Final = "scaledjob.keda.sh/name"
_KUEUE: Final = "kueue.x-k8s.io/queue-name"


class WorkerJob(msgspec.Struct, frozen=True):
    """The workers of a queue, as they were when they were looked at.

    Args:
        job: Their Job's name.
        state: How far the Job is; `complete` and `failed` are its ends.
        pods: How many do what.
        diagnoses: What stands in their way, what is fatal first.
    """

    job: str
    state: JobState
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
    """The newest Job of a queue and its pods; None if it has none. Of KEDA's and Kueue's, which may be many, all are looked at as one."""
    names = object_names(queue)
    if several := await kueues_jobs(cluster, names):
        looks = [await look_at(cluster, job) for job in several]
        return looks[0] if len(looks) == 1 else _together(" and ".join(each.job for each in looks), looks)
    if job := await newest_job(cluster, names):
        return await look_at(cluster, job)
    jobs = [job for job in await cluster.list("Job", selector(names.base, "worker")) if is_kedas(job)]
    if not jobs:
        return None
    states = [job_state(job) for job in jobs]
    looks = [
        await look_at(cluster, job) for job, state in zip(jobs, states, strict=True) if state == "running"
    ]
    return _together(f"{names.standing} of KEDA's", looks)


def _together(name: str, looks: list[WorkerJob]) -> WorkerJob:
    counts = {
        field: sum(getattr(each.pods, field) for each in looks) for field in PodCounts.__struct_fields__
    }
    diagnoses = {(found.reason, found.text): found for each in looks for found in each.diagnoses}
    states = {each.state for each in looks}
    state: JobState = "running" if len(states) > 1 else next(iter(states), "complete")
    return WorkerJob(name, state, PodCounts(**counts), tuple(diagnoses.values()))


async def look_at(cluster: Cluster, job: Object) -> WorkerJob:
    """A Job, its pods, and what is in their way: five requests at most, however many pods there are."""
    name = job["metadata"]["name"]
    # By its uid, since a Job of the same name may have left pods that are still on their way out.
    pods = await cluster.list("Pod", {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
    events = await cluster.events("Job", name)
    if any(is_pending(pod) for pod in pods):
        events += await cluster.events("Pod", reason=NOT_MOUNTED)
    wanted = job["spec"].get("parallelism", 1)
    diagnoses = diagnose(job, pods, events, cluster.commands)
    silent = [pod for pod in pods if is_pending(pod)]
    if silent and not diagnoses:
        diagnoses = await _unbound(cluster, silent) or pulling(
            silent, await cluster.events("Pod", reason=PULLING)
        )
    return WorkerJob(name, job_state(job), count_pods(pods, wanted), tuple(diagnoses))


async def _unbound(cluster: Cluster, pods: list[Object]) -> list[Diagnosis]:
    """Of the volumes that pods wait for, those that are not there yet; none where this user may not see it."""
    mounted = claims_of(pods)
    found = []
    with suppress(ClusterRefused):
        for claim in await cluster.list("PersistentVolumeClaim") if mounted else ():
            if (name := claim["metadata"]["name"]) in mounted and not is_bound(claim):
                describe = cluster.commands.kubectl(f"describe pvc {name}")
                told = await cluster.events("PersistentVolumeClaim", name)
                found.append(unbound(claim, told, f"see to what makes its volumes; `{describe}`"))
    return found


async def scheduled_run(cluster: Cluster, queue: str) -> WorkerJob | None:
    """The pod of a batch that runs by itself, and what is in its way; None if none is at it now."""
    jobs = await cluster.list("Job", selector(object_names(queue).base, SCHEDULE))
    for job in jobs:
        if job_state(job) in ("running", "finishing"):
            return await look_at(cluster, job)
    return None


async def schedule_of(cluster: Cluster, queue: str) -> str | None:
    """When a queue's batch runs by itself, and how that went; None if it does not, or this user may not see it."""
    name = object_names(queue).schedule
    with suppress(ClusterRefused):
        for found in await cluster.list("CronJob", PART_OF):
            if found["metadata"]["name"] == name:
                return _told(found["spec"], found.get("status") or {})
    return None


def _told(spec: Object, status: Object) -> str:
    zone = f" {spec['timeZone']}" if spec.get("timeZone") else ""
    at = f"{spec['schedule']}{zone}{', suspended' if spec.get('suspend') else ''}"
    now = ", one goes on" if status.get("active") else ""
    begun, well = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    return f"{at}; {f'last begun {begun}' if begun else 'none begun yet'}{now}{f', last went well {well}' if well else ''}"


async def kueues_jobs(cluster: Cluster, names: ObjectNames) -> list[Object]:
    """The Jobs of a queue that are Kueue's and have not ended, the oldest first: one, and one for each time that it has grown."""
    jobs = await cluster.list("Job", selector(names.base, "worker"))
    at_work = [
        job
        for job in jobs
        if is_kueues(job)
        and not job["metadata"].get("deletionTimestamp")
        and job_state(job) not in ("complete", "failed")
    ]
    return sorted(at_work, key=lambda job: job["metadata"].get("creationTimestamp", ""))


def is_kueues(job: Object) -> bool:
    """Whether Kueue says when a Job may run."""
    return _KUEUE in (job["metadata"].get("labels") or {})


def is_kedas(job: Object) -> bool:
    """Whether KEDA made a Job; it gives its Jobs the labels of their ScaledJob."""
    return _KEDA in (job["metadata"].get("labels") or {})


async def existing_job(cluster: Cluster, name: str, purpose: str) -> Object:
    """A Job that somebody waits for.

    Args:
        cluster: Where.
        name: The Job's.
        purpose: What would be cut short if it were gone: `while it checked the app`.

    Raises:
        ObjectMissing: It is gone.
    """
    job = await cluster.get("Job", name)
    if job is None:
        raise ObjectMissing(f"Job {name} was deleted {purpose}")
    return job


async def newest_job(cluster: Cluster, names: ObjectNames) -> Object | None:
    """The newest Job of a queue that is not being deleted. Jobs of KEDA's, which come and go, are none."""
    jobs = await cluster.list("Job", selector(names.base, "worker"))
    jobs = [job for job in jobs if not job["metadata"].get("deletionTimestamp") and not is_kedas(job)]
    return max(
        jobs,
        key=lambda job: (
            job["metadata"].get("creationTimestamp", ""),
            names.round_of(job["metadata"]["name"]),
        ),
        default=None,
    )

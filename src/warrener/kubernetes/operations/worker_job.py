"""The workers of a queue on a cluster: started, resized, stopped and resumed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import ClusterError, ObjectConflict, ObjectMissing, UsageError
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.manifests.names import MAX_PARALLELISM, MAX_ROUND, object_names
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.successor import size, successor
from warrener.kubernetes.operations.installed import known
from warrener.kubernetes.operations.look import is_kueues, kueues_jobs, newest_job
from warrener.kubernetes.operations.remembered import remember, remembered

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.names import ObjectNames
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object

_MADE_OF: Final = "warrener/made-of"  # a digest of what the pods are
_LOOK_EVERY: Final = 1.0  # seconds


async def start(cluster: Cluster, spec: Spec, *, is_supplied: bool = False) -> str:
    """Start a Job of workers, unless one that is made of the same is at work already; its name.

    Args:
        cluster: Where.
        spec: What.
        is_supplied: Whether its code and its NetworkPolicy are there already, and stay as they are.

    Raises:
        ClusterError: The queue has workers of another make.
    """
    while True:
        name = await find(cluster, spec) or await make(cluster, spec, is_supplied=is_supplied)
        if name:
            return name


async def make(cluster: Cluster, spec: Spec, *, is_supplied: bool = False) -> str | None:
    """Start a Job of workers, which is then the caller's; its name, or None where the queue has one at work by now.

    Args:
        cluster: Where.
        spec: What.
        is_supplied: As `start` takes it.
    """
    newest = await newest_job(cluster, spec.names)
    while newest and job_state(newest) == "finishing":
        await asyncio.sleep(_LOOK_EVERY)
        newest = await newest_job(cluster, spec.names)
    if newest and not _has_ended(newest):
        return None
    spec = msgspec.structs.replace(spec, round=_next_round(newest, spec.names))
    name = spec.names.workers(spec.round)
    if (former := await cluster.get("Job", name)) and _has_ended(former):
        await cluster.delete("Job", name)  # one of the last time round
    for manifest in render(spec, ["workers"]):
        if manifest["kind"] != "Job":
            if not is_supplied:
                await cluster.apply(manifest)
            continue
        manifest["metadata"].setdefault("annotations", {})[_MADE_OF] = _digest(manifest, spec)
        try:
            await cluster.create(manifest)
        except ObjectConflict:  # another submit was quicker, or one of that name is still on its way out
            await asyncio.sleep(_LOOK_EVERY)
            return None
        if not is_supplied:
            await remember(cluster, spec.names, manifest)
    if newest and _is_cancelled(newest):  # or it could be resumed beside the new one
        await cluster.delete("Job", newest["metadata"]["name"])
    return name


async def find(cluster: Cluster, spec: Spec) -> str | None:
    """The Job that works on a queue already, made of the same; None if there is none.

    Raises:
        ClusterError: The queue has workers of another make.
    """
    newest = await newest_job(cluster, spec.names)
    if newest is None or _has_ended(newest) or job_state(newest) == "finishing":
        return None
    return _same(cluster, spec, newest)


async def other_size(cluster: Cluster, spec: Spec, job: str) -> str:
    """That a Job has not so many workers as the spec says, which stays so, as a sentence; empty where it has. Kueue's have several."""
    found = None if spec.kueue else await cluster.get("Job", job)
    if found is None or found["spec"]["parallelism"] == spec.parallelism:
        return ""
    resize = cluster.commands.k8s(f"scale {spec.parallelism}", spec.queue)
    return f"Job {job} stays at {found['spec']['parallelism']} workers, instead of {spec.parallelism}: `{resize}` changes that"


async def scale(cluster: Cluster, queue: str, parallelism: int) -> str:
    """Resize the workers; those that go requeue their tasks. What has become of them, as a sentence.

    Raises:
        UsageError: The number is out of range.
        ObjectMissing: There are no workers.
        ClusterError: They have ended; or others have them, KEDA or Kueue.
    """
    _check_size(cluster, queue, parallelism)
    job = await _working(cluster, queue)
    if several := await kueues_jobs(cluster, object_names(queue)):
        return await _scale_under_kueue(cluster, queue, several, parallelism)
    await cluster.patch("Job", job["metadata"]["name"], {"spec": size(parallelism)})
    return f"Job {job['metadata']['name']} has {parallelism} workers now"


async def _scale_under_kueue(cluster: Cluster, queue: str, jobs: list[Object], parallelism: int) -> str:
    """Grow by another Job: Kueue stops all workers of one whose number changes, until it has room for the whole."""
    waiting = [job for job in jobs if job_state(job) == "suspended"]
    admitted = sum(job["spec"]["parallelism"] for job in jobs if job_state(job) != "suspended")
    more = parallelism - admitted
    if more < 0:
        raise ClusterError(
            f"{admitted} workers of queue {queue!r} were admitted by Kueue, which stops them all when their number changes: let "
            f"them end, or `{cluster.commands.k8s('cancel', queue)}`, then submit again with --parallelism {parallelism}"
        )
    for job in waiting[1:] if more else waiting:
        await cluster.delete("Job", job["metadata"]["name"])
    if not more:
        return f"the workers of queue {queue!r} are {parallelism}, and no more are asked of Kueue"
    if waiting:
        name = waiting[0]["metadata"]["name"]
        await cluster.patch("Job", name, {"spec": size(more)})
    else:
        names = object_names(queue)
        name = names.workers(_next_round(jobs[-1], names))
        await cluster.delete("Job", name)  # one of the last time round
        # Rather than like one that Kueue has admitted, which has the nodes of its flavor.
        await cluster.create(successor(await remembered(cluster, names) or jobs[-1], name, more))
    these = f"; the {admitted} that there are go on meanwhile" if admitted else ""
    return f"{more} workers start once Kueue admits them all (Job {name}): see `{cluster.commands.k8s('status', queue)}`{these}"


async def cancel(cluster: Cluster, queue: str) -> str:
    """Stop the workers, who requeue their tasks; the queue and the Job stay, to be resumed. The Job's name.

    Raises:
        ObjectMissing: There are no workers.
        ClusterError: They have ended.
    """
    job = await _working(cluster, queue)
    for each in await kueues_jobs(cluster, object_names(queue)) or [job]:
        await _stop(cluster, each)
    return str(job["metadata"]["name"])


async def stop(cluster: Cluster, queue: str) -> None:
    """Stop the workers, if there are any, and wait until the last one has left."""
    job = await newest_job(cluster, object_names(queue))
    if job is None:
        return
    for each in await kueues_jobs(cluster, object_names(queue)) or [job]:
        if not _has_ended(each) and job_state(each) != "finishing":
            await _stop(cluster, each)
        await until_gone(cluster, str(each["metadata"]["name"]))


async def _stop(cluster: Cluster, job: Object) -> None:
    name = str(job["metadata"]["name"])
    if is_kueues(job):
        await cluster.delete("Job", name)  # Kueue would start a suspended one again
    else:
        await cluster.patch("Job", name, {"spec": {"suspend": True}})


async def resume(cluster: Cluster, queue: str, parallelism: int | None = None) -> str:
    """Start a new Job on the same queue, like the last one; the new one's name.

    Raises:
        UsageError: The number is out of range.
        ObjectMissing: There was no Job, or it is forgotten.
        ClusterError: Its workers are still at work.
    """
    if parallelism is not None:
        _check_size(cluster, queue, parallelism)
    await refuse_kedas(cluster, queue)
    names = object_names(queue)
    last = await newest_job(cluster, names)
    if last is None and (former := await remembered(cluster, names)):
        await cluster.create(successor(former, name := names.workers(1), parallelism))
        return name
    if last is None:
        raise ObjectMissing(
            f"queue {queue!r} has no Job in namespace {cluster.namespace} to go on from: use `warrener k8s submit`"
        )
    if job_state(last) in ("running", "finishing"):
        raise ClusterError(
            f"the workers of queue {queue!r} are at work: see `{cluster.commands.k8s('status', queue)}`"
        )
    name = names.workers(_next_round(last, names))
    await cluster.delete("Job", name)  # one of the last time round
    await cluster.create(successor(last, name, parallelism))
    await cluster.delete("Job", last["metadata"]["name"])
    return name


async def until_gone(cluster: Cluster, job: str) -> None:
    """Wait until the last pod of a stopped Job has ended."""
    while True:
        pods = await cluster.list("Pod", {"batch.kubernetes.io/job-name": job})
        if not any(pod.get("status", {}).get("phase", "Pending") in ("Running", "Pending") for pod in pods):
            return
        await asyncio.sleep(1)


def _same(cluster: Cluster, spec: Spec, job: Object) -> str:
    name = str(job["metadata"]["name"])
    (wanted,) = (manifest for manifest in render(spec, ["workers"]) if manifest["kind"] == "Job")
    if (job["metadata"].get("annotations") or {}).get(_MADE_OF) == _digest(wanted, spec):
        return name
    raise ClusterError(
        f"queue {spec.queue!r} has workers already (Job {name}), of another version of the app or with other options: "
        f"stop them with `{cluster.commands.k8s('cancel', spec.queue)}` and submit again, or see "
        f"`{cluster.commands.k8s('status', spec.queue)}`; `{cluster.commands.k8s('scale N', spec.queue)}` resizes them"
    )


def _digest(job: Object, spec: Spec) -> str:
    """Of all that options say of the workers, but for how many they are, which changes while they work."""
    made_of = [job["spec"]["template"], spec.deadline, spec.ttl, spec.kueue, spec.egress]
    return hashlib.sha256(msgspec.json.encode(made_of, order="sorted")).hexdigest()[:16]


def _has_ended(job: Object) -> bool:
    """Whether it has no workers now, because they ended or were cancelled."""
    return job_state(job) in ("complete", "failed") or _is_cancelled(job)


def _is_cancelled(job: Object) -> bool:
    return job_state(job) == "suspended" and not is_kueues(job)


async def refuse_kedas(cluster: Cluster, queue: str) -> None:
    """Say so where KEDA has the workers of a queue: whoever did beside it what it does would work against it.

    Raises:
        ClusterError: The queue has a ScaledJob.
    """
    if await has_kedas(cluster, queue):
        name = object_names(queue).standing
        stop = cluster.commands.kubectl(f"delete scaledjob {name}")
        raise ClusterError(
            f"the workers of queue {queue!r} are KEDA's (ScaledJob {name}), which starts and ends them by the tasks that wait: "
            f"publish with `{cluster.commands.on_queue('publish TASKS', queue)}`, change how many it may start with "
            f"`warrener k8s render --autoscale keda --parallelism N`, or take it away with `{stop}`"
        )


async def has_kedas(cluster: Cluster, queue: str) -> bool:
    """Whether KEDA starts the workers of a queue."""
    name = object_names(queue).standing
    return any(found["metadata"]["name"] == name for found in await known(cluster, "ScaledJob"))


async def _working(cluster: Cluster, queue: str) -> Object:
    await refuse_kedas(cluster, queue)
    names = object_names(queue)
    job = await newest_job(cluster, names)
    if several := await kueues_jobs(cluster, names):  # of which the newest may have ended first
        job = several[-1]
    if job is None:
        raise ObjectMissing(f"queue {queue!r} has no workers in namespace {cluster.namespace}")
    if (state := job_state(job)) in ("complete", "failed"):
        raise ClusterError(
            f"the workers of queue {queue!r} have ended (Job {job['metadata']['name']} is {state}): "
            f"start new ones with `{cluster.commands.k8s('resume', queue)}`"
        )
    return job


def _check_size(cluster: Cluster, queue: str, parallelism: int) -> None:
    if not 1 <= parallelism <= MAX_PARALLELISM:
        cancel_ = cluster.commands.k8s("cancel", queue)
        raise UsageError(
            f"{parallelism} workers are out of range: use 1 to {MAX_PARALLELISM}, or `{cancel_}`"
        )


def _next_round(newest: Object | None, names: ObjectNames) -> int:
    # Names have room for so many digits; by then the first Jobs are long forgotten.
    return names.round_of(newest["metadata"]["name"]) % MAX_ROUND + 1 if newest else 1

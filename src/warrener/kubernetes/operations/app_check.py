"""The import check: the app is tried in one pod before many start, so that a typo fails once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import AppError, ClusterError, ObjectConflict, ObjectMissing
from warrener.kubernetes.diagnosis.containers import IMAGE_REASONS
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.workers import CHECK_SECONDS
from warrener.kubernetes.operations.look import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object
    from warrener.kubernetes.operations.look import WorkerJob

# What looks hopeless at first may still be on its way: a Secret that was just made, say.
_SETTLING: Final = 15.0
# A registry that does not answer is given so long. A place on a node is waited for: one may be added.
_PULLING: Final = 45.0
_LOOK_EVERY: Final = 0.5
# A check that has ended so long ago was left behind.
_LEFT_AFTER: Final = 5.0


class Checked(msgspec.Struct, frozen=True):
    """What `warrener work --check` says of an app that can be run.

    Args:
        delays: The delays that its retries need, in milliseconds.
    """

    delays: list[int]


async def check(cluster: Cluster, spec: Spec, on_progress: Callable[[str], None]) -> Checked:
    """Run the check in the cluster.

    Raises:
        AppError: The app does not import there, or is none.
        ClusterError: The pod cannot start, or does not answer; the text says what is in its way.
    """
    for manifest in render(spec, ["check"]):
        if manifest["kind"] == "Job":
            await _create(cluster, manifest, on_progress)
        else:
            await cluster.apply(manifest)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen: list[Diagnosis] = []
    try:
        while True:
            job = await _job(cluster, spec)
            workers = await look_at(cluster, job)
            if workers.state == "complete":
                return await _answer(cluster, spec)
            # `finishing` may still end well.
            if workers.state == "failed" or _is_hopeless(workers, loop.time() - began):
                raise _why(workers, seen)
            seen = [diagnosis for diagnosis in workers.diagnoses if diagnosis.pods] or seen
            on_progress(f"checking the app in one pod{_first(workers)}")
            await asyncio.sleep(_LOOK_EVERY)
    finally:
        await cluster.delete("Job", spec.names.check)


async def _create(cluster: Cluster, job: Object, on_progress: Callable[[str], None]) -> None:
    """Make the check's Job. One that is there is somebody else's, and waited for; whoever made it deletes it when it has ended."""
    name, loop = job["metadata"]["name"], asyncio.get_running_loop()
    ended_at: float | None = None
    while True:
        with suppress(ObjectConflict):
            await cluster.create(job)
            return
        other = await cluster.get("Job", name)
        if other and job_state(other) in ("complete", "failed"):
            ended_at = ended_at or loop.time()
            if loop.time() - ended_at > _LEFT_AFTER:
                await cluster.delete("Job", name)
        on_progress(f"waiting for another submit of this queue, which checks its app (Job {name})")
        await asyncio.sleep(_LOOK_EVERY)


async def _job(cluster: Cluster, spec: Spec) -> dict[str, Any]:
    job = await cluster.get("Job", spec.names.check)
    if job is None:
        raise ObjectMissing(f"Job {spec.names.check} was deleted while it checked the app")
    return job


async def _answer(cluster: Cluster, spec: Spec) -> Checked:
    """The last line of the log that is an answer: the app may write, too, when it is imported."""
    pods = await cluster.list("Pod", {"batch.kubernetes.io/job-name": spec.names.check})
    # The log of one that was evicted may be gone with its node.
    succeeded = [pod for pod in pods if pod.get("status", {}).get("phase") == "Succeeded"]
    answer: Checked | None = None
    for pod in succeeded or pods:
        async for line in cluster.logs(pod["metadata"]["name"], "worker"):
            if line.startswith("{"):
                with suppress(msgspec.MsgspecError):
                    answer = msgspec.json.decode(line, type=Checked)
    if answer is None:
        raise ClusterError(
            f"the check of the app ended well (Job {spec.names.check}), but its log does not have the answer: is "
            f"Warrener in image {spec.image} of this version? Else run this again"
        )
    return answer


def _is_hopeless(workers: WorkerJob, waited: float) -> bool:
    lacks_image = any(diagnosis.reason in IMAGE_REASONS for diagnosis in workers.diagnoses)
    return (workers.is_stuck and waited > _SETTLING) or (lacks_image and waited > _PULLING)


def _why(workers: WorkerJob, seen: Sequence[Diagnosis]) -> Exception:
    # What a pod says, or said before it was deleted, comes before what its Job makes of it.
    said = [diagnosis for diagnosis in workers.diagnoses if diagnosis.pods] or seen or workers.diagnoses
    if not said:
        return ClusterError(
            f"the check of the app failed (Job {workers.job}), and its pod did not say why: run this again"
        )
    if said[0].reason == "DeadlineExceeded":
        return ClusterError(f"the app was not imported within {CHECK_SECONDS} s (Job {workers.job})")
    kind = AppError if said[0].reason == "CannotWork" else ClusterError
    return kind(said[0].text)


def _first(workers: WorkerJob) -> str:
    return f": {workers.diagnoses[0].text}" if workers.diagnoses else ""

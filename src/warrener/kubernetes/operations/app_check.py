"""The import check: the app is tried in a pod of its own, where its workers may be let in only hours later."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.errors import ObjectConflict
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.workers import CHECK_SECONDS
from warrener.kubernetes.operations.ability import (
    answer_of,
    first_of,
    is_hopeless,
    why_not,
    without_answer,
)
from warrener.kubernetes.operations.look import existing_job, look_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object
    from warrener.kubernetes.operations.ability import Checked

_LOOK_EVERY: Final = 0.5
# A check that has ended so long ago was left behind.
_LEFT_AFTER: Final = 5.0


async def check(
    cluster: Cluster, spec: Spec, on_progress: Callable[[str], None], *, is_supplied: bool = False
) -> Checked:
    """Run the check in the cluster.

    Args:
        cluster: Where.
        spec: What.
        on_progress: Told what is being waited for.
        is_supplied: Whether the app's code is there already.

    Raises:
        AppError: The app does not import there, or is none.
        ClusterError: The pod cannot start, or does not answer; the text says what is in its way.
    """
    for manifest in render(spec, ["check"]):
        if manifest["kind"] == "Job":
            await _create(cluster, manifest, on_progress)
        elif not is_supplied:
            await cluster.apply(manifest)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen: list[Diagnosis] = []
    try:
        while True:
            job = await existing_job(cluster, spec.names.check, "while it checked the app")
            workers = await look_at(cluster, job)
            if workers.state == "complete":
                return await _answer(cluster, spec)
            # `finishing` may still end well.
            if workers.state == "failed" or is_hopeless(workers, loop.time() - began):
                raise why_not(workers, seen, CHECK_SECONDS)
            seen = [diagnosis for diagnosis in workers.diagnoses if diagnosis.pods] or seen
            on_progress(f"checking the app in one pod{first_of(workers)}")
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


async def _answer(cluster: Cluster, spec: Spec) -> Checked:
    pods = await cluster.list("Pod", {"batch.kubernetes.io/job-name": spec.names.check})
    # The log of one that was evicted may be gone with its node.
    succeeded = [pod for pod in pods if pod.get("status", {}).get("phase") == "Succeeded"]
    if answer := await answer_of(cluster, succeeded or pods):
        return answer
    raise without_answer(spec.names.check, spec.image)

"""The first worker of a Job is the check of the app: nothing is published before it has imported it.

So a typo is said as that pod says it, and leaves nothing on the queue.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.errors import ClusterError
from warrener.kubernetes.diagnosis.counts import ended_containers
from warrener.kubernetes.diagnosis.pods import disrupted
from warrener.kubernetes.diagnosis.reading import last_line
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
    from warrener.kubernetes.objects import Object, Objects
    from warrener.kubernetes.operations.ability import Checked
    from warrener.kubernetes.operations.look import WorkerJob

_ASK_EVERY: Final = 0.25  # seconds
_LOOK_EVERY: Final = 1.0
# Of many workers that start at a time, so many are asked.
_ASKED: Final = 2
# Where some have failed and none runs, another one may be about to.
_PATIENCE: Final = 5.0


async def until_able(cluster: Cluster, spec: Spec, name: str, on_progress: Callable[[str], None]) -> Checked:
    """Wait until a worker of a new Job says that it has imported the app, and what its retries need.

    Args:
        cluster: Where.
        spec: What the Job is made of.
        name: The Job's.
        on_progress: Told what is being waited for.

    Raises:
        AppError: The app does not import there, or is none.
        ClusterError: No pod can start, or say so; the text says what is in its way.
    """
    loop = asyncio.get_running_loop()
    began, looked_at = loop.time(), 0.0
    failed_at: float | None = None
    seen: list[Diagnosis] = []
    while True:
        job = await existing_job(cluster, name, "while its first worker was waited for")
        pods = await cluster.list("Pod", {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
        if answer := await _asked(cluster, pods):
            return answer
        now = loop.time()
        if now - looked_at >= _LOOK_EVERY:
            looked_at = now
            workers = await look_at(cluster, job)
            if workers.state == "complete":
                raise without_answer(name, spec.image)
            if workers.state in ("failed", "suspended") or is_hopeless(workers, now - began):
                raise why_not(workers, seen, spec.deadline)
            # With one that can never work the Job fails at once, by its policy, and says so.
            will_fail = any(diagnosis.reason == "CannotWork" for diagnosis in workers.diagnoses)
            ended = [pod for pod in pods if _has_failed(pod)]
            if ended and not will_fail:
                failed_at = failed_at or now
                if len(ended) == len(pods) or (not workers.pods.running and now - failed_at > _PATIENCE):
                    raise _why_ended(workers, ended)
            seen = [diagnosis for diagnosis in workers.diagnoses if diagnosis.pods] or seen
            on_progress(f"waiting for the first worker{first_of(workers)}")
        await asyncio.sleep(_ASK_EVERY)


async def _asked(cluster: Cluster, pods: Objects) -> Checked | None:
    begun = [pod for pod in pods if pod.get("status", {}).get("phase") not in (None, "Pending")]
    answer = None
    for pod in begun[:_ASKED]:
        with suppress(ClusterError):  # it has no log yet, or no more
            answer = answer or await answer_of(cluster, [pod])
    return answer


def _has_failed(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") == "Failed" and not any(disrupted(pod))


def _why_ended(workers: WorkerJob, ended: Objects) -> ClusterError:
    """Why pods ended before they could work. Their Job would try again, but what cannot begin now cannot later."""
    names = {pod["metadata"]["name"] for pod in ended}
    for diagnosis in workers.diagnoses:
        if names & set(diagnosis.pods):
            return ClusterError(diagnosis.text)
    said = [last_line(container.get("message", "")) for pod in ended for container in ended_containers(pod)]
    why = next(filter(None, said), f"it did not say why (Job {workers.job}): run this again")
    return ClusterError(f"the first worker could not begin: {why}")

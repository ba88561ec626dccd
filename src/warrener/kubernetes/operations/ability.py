"""Whether the app can be run in the cluster, as the first pod that imports it says."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import AppError, ClusterError
from warrener.kubernetes.diagnosis.containers import IMAGE_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.objects import Object
    from warrener.kubernetes.operations.look import WorkerJob

# What looks hopeless at first may still be on its way: a Secret that was just made, say.
_SETTLING: Final = 15.0
# A registry that does not answer is given so long. A place on a node is waited for: one may be added.
_PULLING: Final = 45.0
_ANSWER: Final = re.compile(r'\{"delays":[^{}]*\}')


class Checked(msgspec.Struct, frozen=True):
    """What `warrener work` says of an app that can be run.

    Args:
        delays: The delays that its retries need, in milliseconds.
    """

    delays: list[int]


async def answer_of(cluster: Cluster, pods: Iterable[Object]) -> Checked | None:
    """The last of these pods' lines that is an answer: the app may write, too, when it is imported."""
    answer: Checked | None = None
    for pod in pods:
        async for line in cluster.logs(pod["metadata"]["name"], "worker"):
            text = line.replace('\\"', '"')  # where logs are JSON
            if found := _ANSWER.search(text):
                with suppress(msgspec.MsgspecError):
                    answer = msgspec.json.decode(found[0], type=Checked)
    return answer


def without_answer(job: str, image: str) -> ClusterError:
    """Why a pod that ended well is not enough."""
    return ClusterError(
        f"the check of the app ended well (Job {job}), but its log does not have the answer: is "
        f"Warrener in image {image} of this version? Else run this again"
    )


def is_hopeless(workers: WorkerJob, waited: float) -> bool:
    """Whether pods that have not started so far never will."""
    lacks_image = any(diagnosis.reason in IMAGE_REASONS for diagnosis in workers.diagnoses)
    return (workers.is_stuck and waited > _SETTLING) or (lacks_image and waited > _PULLING)


def why_not(workers: WorkerJob, seen: Sequence[Diagnosis], import_seconds: int) -> Exception:
    """Why the app cannot be run.

    Args:
        workers: The Job and its pods.
        seen: What stood in their way before.
        import_seconds: What the Job had for it.
    """
    # What a pod says, or said before it was deleted, comes before what its Job makes of it.
    said = [diagnosis for diagnosis in workers.diagnoses if diagnosis.pods] or seen or workers.diagnoses
    if not said:
        return ClusterError(
            f"the check of the app failed (Job {workers.job}), and its pod did not say why: run this again"
        )
    if said[0].reason == "DeadlineExceeded":
        return ClusterError(f"the app was not imported within {import_seconds} s (Job {workers.job})")
    kind = AppError if said[0].reason == "CannotWork" else ClusterError
    return kind(said[0].text)


def first_of(workers: WorkerJob) -> str:
    """What is most in the way of pods, to be added to a sentence."""
    return f": {workers.diagnoses[0].text}" if workers.diagnoses else ""

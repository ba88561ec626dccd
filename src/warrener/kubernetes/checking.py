"""The import check: the app is tried in one pod before many start, so that a typo fails once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import AppError, ClusterError, ObjectMissing
from warrener.kubernetes.crew import look_at
from warrener.kubernetes.manifests import render
from warrener.kubernetes.problems import IMAGE_REASONS
from warrener.kubernetes.workers import CHECK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.kubernetes.cluster import Cluster
    from warrener.kubernetes.crew import Crew
    from warrener.kubernetes.plan import Plan
    from warrener.kubernetes.problems import Obstacle

# What looks hopeless at first may still be on its way: a Secret that was just made, say.
_SETTLING: Final = 15.0
# A registry that does not answer is given so long. A place on a node is waited for: one may be added.
_PULLING: Final = 45.0
_LOOK_EVERY: Final = 0.5


class Fit(msgspec.Struct, frozen=True):
    """What `warrener work --check` says of an app that can be run.

    Args:
        delays: The delays that its retries need, in milliseconds.
    """

    delays: list[int]


async def check(cluster: Cluster, plan: Plan, on_progress: Callable[[str], None]) -> Fit:
    """Run the check in the cluster.

    Raises:
        AppError: The app does not import there, or is none.
        ClusterError: The pod cannot start; the text says what is in its way.
    """
    await cluster.delete("Job", plan.names.check)
    for manifest in render(plan, ["check"]):
        await cluster.apply(manifest)
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen: list[Obstacle] = []
    try:
        while True:
            job = await _job(cluster, plan)
            crew = await look_at(cluster, job)
            if crew.state == "complete":
                return msgspec.json.decode(await _last_line(cluster, plan), type=Fit)
            # `finishing` may still end well.
            if crew.state == "failed" or _is_hopeless(crew, loop.time() - began):
                raise _why(crew, seen)
            seen = [obstacle for obstacle in crew.obstacles if obstacle.pods] or seen
            on_progress(f"checking the app in one pod{_first(crew)}")
            await asyncio.sleep(_LOOK_EVERY)
    finally:
        await cluster.delete("Job", plan.names.check)


async def _job(cluster: Cluster, plan: Plan) -> dict[str, Any]:
    job = await cluster.get("Job", plan.names.check)
    if job is None:
        raise ObjectMissing(f"Job {plan.names.check} was deleted while it checked the app")
    return job


async def _last_line(cluster: Cluster, plan: Plan) -> str:
    pods = await cluster.list("Pod", {"batch.kubernetes.io/job-name": plan.names.check})
    lines = [
        line
        for pod in pods
        async for line in cluster.logs(pod["metadata"]["name"], "worker")
        if line.startswith("{")
    ]
    return lines[-1]


def _is_hopeless(crew: Crew, waited: float) -> bool:
    lacks_image = any(obstacle.reason in IMAGE_REASONS for obstacle in crew.obstacles)
    return (crew.is_stuck and waited > _SETTLING) or (lacks_image and waited > _PULLING)


def _why(crew: Crew, seen: Sequence[Obstacle]) -> Exception:
    # What a pod says, or said before it was deleted, comes before what its Job makes of it.
    said = [obstacle for obstacle in crew.obstacles if obstacle.pods] or seen or crew.obstacles
    if not said:
        return ClusterError(f"Job {crew.job} failed: see its log")
    if said[0].reason == "DeadlineExceeded":
        return ClusterError(f"the app was not imported within {CHECK_SECONDS} s (Job {crew.job})")
    kind = AppError if said[0].reason == "CannotWork" else ClusterError
    return kind(said[0].text)


def _first(crew: Crew) -> str:
    return f": {crew.obstacles[0].text}" if crew.obstacles else ""

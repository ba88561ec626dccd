"""A queue and its workers, looked at until every task has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from warrener.errors import BrokerUnreachable, ClusterError, ObjectMissing
from warrener.kubernetes.operations.look import look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.monitor import Status

LOOK_EVERY: Final = 1.0
# Counts are some seconds late, and somebody may help pods that cannot start.
_STUCK_FOR: Final = 30.0


class Looking(Protocol):
    """Whoever can tell how far the tasks are."""

    async def look(self) -> Status:
        """What is the case now."""


async def watch(
    cluster: Cluster,
    queue: str,
    monitor: Looking,
    is_over: Callable[[Status], Awaitable[bool]],
    on_look: Callable[[Status, WorkerJob], None],
    *,
    renew: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """Look at a queue and its workers until every task has ended.

    Args:
        cluster: Where.
        queue: The queue's name.
        monitor: Tells how far its tasks are.
        is_over: Whether this look, after those before it, proves that all have ended.
        on_look: Shown each look.
        renew: Called where all workers have left and tasks are there nevertheless, as where these came at the very end; it
            starts new ones, or says no.

    Raises:
        ClusterError: The workers ended, or cannot start, with work left; the text says why and how to go on.
    """
    loop = asyncio.get_running_loop()
    stuck_since = None
    way_on = f"go on with `{cluster.commands.k8s('resume', queue)}`"
    while True:
        workers = await look(cluster, queue)
        if workers is None:
            raise ObjectMissing(f"the workers' Job was deleted; {way_on}, or `warrener k8s submit` again")
        try:
            status = await monitor.look()
            has_ended = await is_over(status)
        except BrokerUnreachable:  # perhaps its pod is being replaced; the next look may have it again
            await asyncio.sleep(LOOK_EVERY)
            continue
        on_look(status, workers)
        now = loop.time()
        if has_ended:
            return
        has_left = workers.state == "complete" and status.counts.ready > 0 and status.hold is None
        if has_left and renew and await renew():
            continue
        stuck_since = (stuck_since or now) if workers.has_ended or workers.is_stuck else None
        if stuck_since and now - stuck_since >= _STUCK_FOR:
            why = workers.diagnoses[0].text if workers.diagnoses else f"Job {workers.job} is {workers.state}"
            raise ClusterError(
                f"nobody works on what is left: {why}{'' if way_on in why else f'; then {way_on}'}"
            )
        await asyncio.sleep(LOOK_EVERY)

"""`warrener run` on a cluster: check, publish, start workers, watch, collect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.batch import Publication
from warrener.brokers import connect
from warrener.completion import Completion
from warrener.errors import BrokerUnreachable, ClusterError, ObjectMissing, UsageError
from warrener.kubernetes import crew as crews
from warrener.kubernetes.checking import check
from warrener.kubernetes.install import prepare
from warrener.kubernetes.reach import queue_of
from warrener.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.brokers import Broker
    from warrener.collector import Summary
    from warrener.kubernetes.cluster import Cluster
    from warrener.kubernetes.crew import Crew
    from warrener.kubernetes.plan import Plan
    from warrener.monitor import Status
    from warrener.sources import Line
    from warrener.writers import ResultWriter

LOOK_EVERY: Final = 1.0
# Counts are some seconds late, and somebody may help pods that cannot start.
_STUCK_FOR: Final = 30.0


class Submission:
    """One file of tasks on its way through a cluster.

    Args:
        cluster: Where.
        plan: How.
        on_progress: Told what is being done, until the workers are at work.
        on_look: Then shown each look at the queue and its workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        plan: Plan,
        *,
        on_progress: Callable[[str], None],
        on_look: Callable[[Status, Crew], None],
    ) -> None:
        self.job: str | None = None
        """The workers' Job, once it is started."""
        self._cluster = cluster
        self._plan = plan
        self._on_progress = on_progress
        self._on_look = on_look
        self._publication = Publication()

    @property
    def were_done(self) -> int:
        """Tasks that had a result or a failure before."""
        return self._publication.were_done

    async def run(self, lines: Iterator[Line], target: ResultWriter | None) -> Summary | None:
        """Do all of it; without a target, all until the workers are started.

        Raises:
            UsageError: The plan is for a queue that stands, which has no end to wait for.
            AppError: The app cannot be used; nothing was published then.
            InvalidTask: A line is no valid task; those before it are published.
            ClusterError: Something stands in the way; the text says what, and how to go on.
            BrokerError: The broker is lost, or refuses something.
        """
        if self._plan.autoscale:
            raise UsageError(
                "--autoscale is for a queue that stands, and `warrener k8s submit` for a batch that ends: apply "
                "`warrener k8s render --part workers --autoscale ...`, then `warrener publish --broker "
                f"k8s:{self._plan.namespace}`"
            )
        await crews.free(self._cluster, self._plan.queue)  # before anything is published
        await prepare(self._cluster, self._plan, [], self._on_progress)
        fit = await check(self._cluster, self._plan, self._on_progress)
        async with queue_of(self._cluster, self._plan.queue) as address, connect(address) as broker:
            await broker.declare(fit.delays)
            await self._publish(broker, lines)
            self.job = await crews.start(self._cluster, self._plan)
            if target is None:
                return None
            monitor = Monitor(broker, self._publication.total)
            await watch(self._cluster, broker, self._plan.queue, monitor, self._on_look)
            return await self._publication.collect(broker, target)

    async def _publish(self, broker: Broker, lines: Iterator[Line]) -> None:
        def show(confirmed: int) -> None:
            blocked_reason = f" ({broker.blocked_reason})" if broker.blocked_reason else ""
            self._on_progress(f"{confirmed:,} tasks published{blocked_reason}")

        await self._publication.publish(broker, lines, show)


async def watch(
    cluster: Cluster, broker: Broker, queue: str, monitor: Monitor, on_look: Callable[[Status, Crew], None]
) -> None:
    """Look at a queue and its workers until every task has ended.

    Raises:
        ClusterError: The workers ended, or cannot start, with work left; the text says why and how to go on.
    """
    loop = asyncio.get_running_loop()
    completion, stuck_since = Completion(broker), None
    way_on = f"go on with `warrener k8s resume --queue {queue} --namespace {cluster.namespace}`"
    while True:
        crew = await crews.look(cluster, queue)
        if crew is None:
            raise ObjectMissing(f"the workers' Job was deleted; {way_on}, or `warrener k8s submit` again")
        try:
            status = await monitor.look()
            is_over = status.is_finished and await completion.is_proven_by(status.counts)
        except BrokerUnreachable:  # perhaps its pod is being replaced; the next look may have it again
            await asyncio.sleep(LOOK_EVERY)
            continue
        on_look(status, crew)
        now = loop.time()
        if is_over:
            return
        stuck_since = (stuck_since or now) if crew.has_ended or crew.is_stuck else None
        if stuck_since and now - stuck_since >= _STUCK_FOR:
            why = crew.obstacles[0].text if crew.obstacles else f"Job {crew.job} is {crew.state}"
            raise ClusterError(f"nobody works on what is left: {why}; then {way_on}")
        await asyncio.sleep(LOOK_EVERY)

"""`warrener run` on a cluster: check, publish, start workers, watch, collect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.batch import Publication
from warrener.brokers import connect
from warrener.completion import Completion
from warrener.errors import BrokerUnreachable, ClusterError, ObjectMissing, UsageError
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.app_check import check
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.reach import queue_of
from warrener.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.brokers import Broker
    from warrener.collector import Summary
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.operations.worker_job import WorkerJob
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
        spec: How.
        on_progress: Told what is being done, until the workers are at work.
        on_look: Then shown each look at the queue and its workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        spec: Spec,
        *,
        on_progress: Callable[[str], None],
        on_look: Callable[[Status, WorkerJob], None],
    ) -> None:
        self.job: str | None = None
        """The workers' Job, once it is started."""
        self._cluster = cluster
        self._spec = spec
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
            UsageError: The spec is for a queue that stands, which has no end to wait for.
            AppError: The app cannot be used; nothing was published then.
            InvalidTask: A line is no valid task; those before it are published.
            ClusterError: Something stands in the way; the text says what, and how to go on.
            BrokerError: The broker is lost, or refuses something.
        """
        if self._spec.autoscale:
            raise UsageError(
                "--autoscale is for a queue that stands, and `warrener k8s submit` for a batch that ends: apply "
                "`warrener k8s render --part workers --autoscale ...`, then `warrener publish --broker "
                f"k8s:{self._spec.namespace}`"
            )
        await worker_job.free(self._cluster, self._spec.queue)  # before anything is published
        await prepare(self._cluster, self._spec, [], self._on_progress)
        checked = await check(self._cluster, self._spec, self._on_progress)
        async with queue_of(self._cluster, self._spec.queue) as address, connect(address) as broker:
            await broker.declare(checked.delays)
            await self._publish(broker, lines)
            self.job = await worker_job.start(self._cluster, self._spec)
            if target is None:
                return None
            monitor = Monitor(broker, self._publication.total)
            await watch(self._cluster, broker, self._spec.queue, monitor, self._on_look)
            return await self._publication.collect(broker, target)

    async def _publish(self, broker: Broker, lines: Iterator[Line]) -> None:
        def show(confirmed: int) -> None:
            blocked_reason = f" ({broker.blocked_reason})" if broker.blocked_reason else ""
            self._on_progress(f"{confirmed:,} tasks published{blocked_reason}")

        await self._publication.publish(broker, lines, show)


async def watch(
    cluster: Cluster,
    broker: Broker,
    queue: str,
    monitor: Monitor,
    on_look: Callable[[Status, WorkerJob], None],
) -> None:
    """Look at a queue and its workers until every task has ended.

    Raises:
        ClusterError: The workers ended, or cannot start, with work left; the text says why and how to go on.
    """
    loop = asyncio.get_running_loop()
    completion, stuck_since = Completion(broker), None
    way_on = f"go on with `warrener k8s resume --queue {queue} --namespace {cluster.namespace}`"
    while True:
        workers = await worker_job.look(cluster, queue)
        if workers is None:
            raise ObjectMissing(f"the workers' Job was deleted; {way_on}, or `warrener k8s submit` again")
        try:
            status = await monitor.look()
            is_over = status.is_finished and await completion.is_proven_by(status.counts)
        except BrokerUnreachable:  # perhaps its pod is being replaced; the next look may have it again
            await asyncio.sleep(LOOK_EVERY)
            continue
        on_look(status, workers)
        now = loop.time()
        if is_over:
            return
        stuck_since = (stuck_since or now) if workers.has_ended or workers.is_stuck else None
        if stuck_since and now - stuck_since >= _STUCK_FOR:
            why = workers.diagnoses[0].text if workers.diagnoses else f"Job {workers.job} is {workers.state}"
            raise ClusterError(f"nobody works on what is left: {why}; then {way_on}")
        await asyncio.sleep(LOOK_EVERY)

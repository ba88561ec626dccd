"""`warrener run` on a cluster: check, publish, start workers, watch, collect."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warrener.batch import Batch, start_over
from warrener.brokers import connect
from warrener.errors import UsageError, WarrenerError
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.app_check import check
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.installed import as_installed
from warrener.kubernetes.operations.reach import queue_of
from warrener.kubernetes.operations.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.brokers import Broker
    from warrener.failure_limit import FailureLimit
    from warrener.journal import Begun
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.monitor import Status
    from warrener.rows import Summary
    from warrener.sources import Line
    from warrener.writers import ResultWriter


class Submission:
    """One file of tasks on its way through a cluster.

    Args:
        cluster: Where.
        spec: How.
        begun: Who submits what.
        is_shared: Whether the queue may be another batch's.
        is_fresh: Whether to drop all that is on the queue first, once it is known that the app can be used.
        limit: Once more of its tasks fail, the queue is paused.
        on_progress: Told what is being done, until the workers are at work.
        on_look: Then shown each look at the queue and its workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        spec: Spec,
        begun: Begun,
        *,
        is_shared: bool = False,
        is_fresh: bool = False,
        limit: FailureLimit | None = None,
        on_progress: Callable[[str], None],
        on_look: Callable[[Status, WorkerJob], None],
    ) -> None:
        self.job: str | None = None
        """The workers' Job, once it is started."""
        self._cluster = cluster
        self._spec = spec
        self._on_progress = on_progress
        self._on_look = on_look
        self.were_done = 0
        """Tasks that had a result or a failure before."""
        self._begun = begun
        self._is_shared = is_shared
        self._is_fresh = is_fresh
        self._limit = limit

    async def run(self, lines: Iterator[Line], target: ResultWriter | None) -> Summary | None:
        """Do all of it; without a target, all until the workers are started.

        Where workers of the same make are at work already, it goes on with them: after an interruption, or beside another one.

        Raises:
            UsageError: The spec is for a queue that stands, which has no end to wait for, or for another broker than the
                namespace has; or the queue is another batch's, or is to be dropped while somebody works on it.
            AppError: The app cannot be used; nothing was published then.
            InvalidTask: A line is no valid task; those before it are published.
            ClusterError: Something stands in the way; the text says what, and how to go on.
            BrokerError: The broker is lost, or refuses something.
            WarrenerError: Its limit is exceeded, and it is paused.
        """
        if self._spec.autoscale:
            raise UsageError(
                "--autoscale is for a queue that stands, and `warrener k8s submit` for a batch that ends: apply what "
                "`warrener k8s render --section workers` writes with the same options, then publish with "
                f"`{self._cluster.commands.on_queue('publish TASKS', self._spec.queue)}`"
            )
        self._spec = await as_installed(self._cluster, self._spec)
        await worker_job.refuse_kedas(self._cluster, self._spec.queue)
        delays = None
        if found := await worker_job.find(self._cluster, self._spec):
            if self._is_fresh:
                stop = self._cluster.commands.k8s("cancel", self._spec.queue)
                raise UsageError(
                    f"the workers of Job {found} are at work: stop them with `{stop}` before you start over"
                )
            self._on_progress(f"going on with the workers of Job {found}")
        else:
            await prepare(self._cluster, self._spec, [], self._on_progress)
            delays = (await check(self._cluster, self._spec, self._on_progress)).delays
        async with queue_of(self._cluster, self._spec.queue) as address, connect(address) as broker:
            if delays is not None:
                if self._is_fresh:
                    await start_over(broker, address)
                await broker.declare(delays)
                if self._spec.keep_logs:
                    await broker.keep_output()
            return await self._run(broker, lines, target)

    async def _run(
        self, broker: Broker, lines: Iterator[Line], target: ResultWriter | None
    ) -> Summary | None:
        async with Batch(broker, self._begun, target, is_shared=self._is_shared, limit=self._limit) as batch:
            await self._publish(batch, lines)
            self.job = await worker_job.start(self._cluster, self._spec)
            if target is None:
                return None
            await watch(self._cluster, broker, self._spec.queue, batch, partial(self._look, batch))
            return await batch.collect()

    def _look(self, batch: Batch, status: Status, workers: WorkerJob) -> None:
        self._on_look(status, workers)
        if batch.exceeded:
            commands, queue = self._cluster.commands, self._spec.queue
            raise WarrenerError(
                f"{batch.exceeded}, so the batch is paused: see `{commands.on_queue('failures list', queue)}`; its workers go "
                f"on with `{commands.on_queue('resume', queue)}`"
            )

    async def _publish(self, batch: Batch, lines: Iterator[Line]) -> None:
        def show(confirmed: int) -> None:
            blocked_reason = f" ({batch.blocked_reason})" if batch.blocked_reason else ""
            self._on_progress(f"{confirmed:,} tasks published{blocked_reason}")

        await batch.publish(lines, show)
        self.were_done = batch.publication.were_done

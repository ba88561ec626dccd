"""`warrener run` on a cluster: start workers, publish, watch and collect, as much as possible of it at the same time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.batch import Batch, start_over
from warrener.brokers import connect
from warrener.companion import while_running
from warrener.completion import Completion
from warrener.errors import BrokerError, ClusterError, UsageError
from warrener.failure_limit import LimitExceeded
from warrener.history import Took
from warrener.journal import read_journal
from warrener.kubernetes.manifests.scaling import refuse_standing
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.app_check import check
from warrener.kubernetes.operations.crew import Crew
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.installed import as_installed
from warrener.kubernetes.operations.reach import queue_of
from warrener.kubernetes.operations.watch import watch
from warrener.ownership import check_owner

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

# Workers that left with work there are followed by new ones so often.
_MOST_RENEWED: Final = 3


def _untold(_: str) -> None:
    """Nobody is told."""


class Submission:
    """One file of tasks on its way through a cluster.

    Args:
        cluster: Where.
        spec: How.
        begun: Who submits what.
        is_shared: Whether the queue may be another batch's.
        is_fresh: Whether to drop all that is on the queue first, once it is known that the app can be used.
        limit: Once more of its tasks fail, the queue is paused.
        is_supplied: Whether the workers' code and NetworkPolicy are there already, and stay as they are.
        on_progress: Told what is being done, until the workers are at work.
        on_note: Told what is not as the spec says it.
        on_look: Then shown each look at the queue and its workers, with what holds up the publisher, if anything.
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
        is_supplied: bool = False,
        on_progress: Callable[[str], None],
        on_note: Callable[[str], None] = _untold,
        on_look: Callable[[Status, WorkerJob, str | None], None],
    ) -> None:
        self._cluster = cluster
        self._spec = spec
        self._on_progress = on_progress
        self._on_note = on_note
        self._on_look = on_look
        self.were_done = 0
        """Tasks that had a result or a failure before."""
        self.is_published = False
        """Whether all of its tasks are."""
        self.took = Took()
        """How long they took, once they have ended."""
        self._begun = begun
        self._is_shared = is_shared
        self._is_fresh = is_fresh
        self._limit = limit
        self._is_supplied = is_supplied
        self._crew: Crew | None = None
        self._renewed = 0

    @property
    def job(self) -> str | None:
        """The workers' Job, once they are at work."""
        return self._crew.job if self._crew else None

    async def run(self, lines: Iterator[Line], target: ResultWriter | None) -> Summary | None:
        """Do all of it; without a target, all until the workers have started and everything is published.

        Nothing is published before a worker has imported the app, and no worker is started where nothing is left to do. Where
        workers of the same make are at work already, it goes on with them: after an interruption, or beside another one.

        Raises:
            UsageError: The spec is for a queue that stands, which has no end to wait for, or for another broker than the
                namespace has; or the queue is another batch's, or is to be dropped while somebody works on it.
            AppError: The app cannot be used; nothing was published then.
            InvalidTask: A line is no valid task; those before it are published.
            ClusterError: Something stands in the way; the text says what, and how to go on.
            BrokerError: The broker is lost, or refuses something.
            LimitExceeded: More of its tasks failed than may, and it is paused.
        """
        refuse_standing(self._spec, self._cluster.commands)
        self._spec = await as_installed(self._cluster, self._spec)
        await worker_job.refuse_kedas(self._cluster, self._spec.queue)
        if found := await self._find_workers():
            if self._is_fresh:
                stop = self._cluster.commands.k8s("cancel", self._spec.queue)
                raise UsageError(
                    f"the workers of Job {found} are at work: stop them with `{stop}` before you start over"
                )
            self._on_progress(f"going on with the workers of Job {found}")
            if other := await worker_job.other_size(self._cluster, self._spec, found):
                self._on_note(other)
        else:
            await prepare(self._cluster, self._spec, [], self._on_progress)
        # Kueue may let workers in hours later; and what is on the queue is dropped for an app that can be used alone.
        delays = None
        if not found and (self._spec.kueue or self._is_fresh):
            delays = (await check(self._cluster, self._spec, self._on_progress)).delays
        async with queue_of(self._cluster, self._spec.queue) as address, connect(address) as broker:
            if self._is_fresh:
                await start_over(broker, address)
                await broker.declare(delays or [])
            elif delays:
                await broker.declare(delays)
            if self._spec.keep_logs and not found:
                await broker.keep_output()
            return await self.work(
                broker, lines, target, waits=target is not None, is_checked=delays is not None
            )

    async def _find_workers(self) -> str | None:
        try:
            return await worker_job.find(self._cluster, self._spec)
        except ClusterError:
            if not (
                self._is_shared or self._is_fresh
            ):  # whose the queue is says more than what its workers are made of
                async with queue_of(self._cluster, self._spec.queue) as address, connect(address) as broker:
                    check_owner(await read_journal(broker), self._begun)
            raise

    async def work(
        self,
        broker: Broker,
        lines: Iterator[Line],
        target: ResultWriter | None,
        *,
        waits: bool,
        is_checked: bool,
    ) -> Summary | None:
        """All that `run` does on a queue that is prepared.

        Args:
            broker: Open, with all rights on the queue.
            lines: As `run` takes them.
            target: As `run` takes it.
            waits: Whether to wait for the end, also without a target.
            is_checked: Whether it is known already that the app can be used, and the queue has the delays that it needs.

        Raises:
            UsageError: As `run` does, and all else.
        """
        self._crew = Crew(
            self._cluster,
            self._spec,
            broker,
            self._on_progress,
            is_checked=is_checked,
            is_supplied=self._is_supplied,
        )
        try:
            return await self._run(broker, self._crew, lines, target, waits=waits)
        finally:
            await self._crew.close()

    async def _run(
        self, broker: Broker, crew: Crew, lines: Iterator[Line], target: ResultWriter | None, *, waits: bool
    ) -> Summary | None:
        async with Batch(
            broker,
            self._begun,
            target,
            is_shared=self._is_shared,
            limit=self._limit,
            before_first=crew.begin,
        ) as batch:
            publishing = asyncio.create_task(self._publish(batch, crew, lines))
            try:
                if not waits:
                    await while_running(batch.reading, publishing)
                    return None
                try:
                    await while_running(batch.reading, self._watch(broker, batch, crew, publishing))
                except LimitExceeded:
                    with suppress(BrokerError):
                        await batch.collect()  # the rows so far, for who keeps them
                    raise
                summary = await batch.collect()
                self.took = batch.took
                return summary
            finally:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)

    async def _publish(self, batch: Batch, crew: Crew, lines: Iterator[Line]) -> None:
        def show(confirmed: int) -> None:
            if not crew.job or batch.blocked_reason:
                blocked_reason = f" ({batch.blocked_reason})" if batch.blocked_reason else ""
                self._on_progress(f"{confirmed:,} tasks published{blocked_reason}")

        await batch.publish(lines, show)
        self.were_done = batch.publication.were_done
        self.is_published = True
        await batch.look()
        if not await batch.is_over():
            await crew.begin()  # where all was published before, and some is left

    async def _watch(self, broker: Broker, batch: Batch, crew: Crew, publishing: asyncio.Task[None]) -> None:
        """Until all has ended, beside the publishing; whichever fails ends the other."""
        completion = Completion(broker)

        async def is_over(status: Status) -> bool:
            if not publishing.done() or await batch.is_over():
                return publishing.done()
            is_cancelled = status.cancelled > 0 and status.is_finished
            return is_cancelled and await completion.is_proven_by(status.counts, is_cancelled=True)

        async def renew() -> bool:
            self._renewed += 1
            if self._renewed <= _MOST_RENEWED:
                await crew.renew()
            return self._renewed <= _MOST_RENEWED

        def look(status: Status, workers: WorkerJob) -> None:
            self._on_look(status, workers, batch.blocked_reason)
            self._mind_limit(batch)

        at_work = asyncio.create_task(crew.at_work.wait())
        try:
            await asyncio.wait({publishing, at_work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            at_work.cancel()
        if publishing.done() and (publishing.result(), crew.job)[1] is None:
            return
        watching = asyncio.create_task(
            watch(self._cluster, self._spec.queue, batch, is_over, look, renew=renew)
        )
        try:
            await asyncio.wait({publishing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if publishing.done():
                publishing.result()
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _mind_limit(self, batch: Batch) -> None:
        if batch.exceeded:
            commands, queue = self._cluster.commands, self._spec.queue
            raise LimitExceeded(
                f"{batch.exceeded}, so the batch is paused: see `{commands.on_queue('failures list', queue)}`; its workers go "
                f"on with `{commands.on_queue('resume', queue)}`"
            )

"""The workers of one submission: made when the first task is to be published, unless there are some already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.errors import ClusterError
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.first_worker import until_able
from warrener.kubernetes.operations.look import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec

_LOOK_EVERY: Final = 0.5  # seconds


class Crew:
    """A Job of workers.

    Args:
        cluster: Where.
        spec: What it is made of.
        broker: Open, with the right to make retry delays.
        on_progress: Told what is being waited for.
        is_checked: Whether it is known already that the app can be used, and the queue has the delays that it needs.
        is_supplied: Whether what the Job needs beside it is there already.
    """

    def __init__(
        self,
        cluster: Cluster,
        spec: Spec,
        broker: Broker,
        on_progress: Callable[[str], None],
        *,
        is_checked: bool,
        is_supplied: bool = False,
    ) -> None:
        self.job: str | None = None
        """Their Job, once they are at work."""
        self.at_work = asyncio.Event()
        self._cluster = cluster
        self._spec = spec
        self._broker = broker
        self._on_progress = on_progress
        self._is_checked = is_checked
        self._is_supplied = is_supplied
        self._beginning: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Have workers that can work, those that are there or new ones. A second call changes nothing.

        Raises:
            AppError: The app cannot be used. The Job stays, with its pods' logs.
            ClusterError: They cannot start; then no Job is left behind.
        """
        self._beginning = self._beginning or asyncio.create_task(self._begin())
        await asyncio.shield(self._beginning)

    async def close(self) -> None:
        """Begin no more; a Job whose workers are not at work yet is taken back."""
        if self._beginning:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)

    async def _begin(self) -> None:
        while self.job is None:
            if found := await worker_job.find(self._cluster, self._spec):
                self.job = found if self._is_checked or await self._works(found) else None
                continue
            # Only whoever has made a Job may take it back: others may work with it.
            job = await worker_job.make(self._cluster, self._spec, is_supplied=self._is_supplied)
            if job and not self._is_checked:
                await self._check(job)
            self.job = job
        self.at_work.set()

    async def renew(self) -> None:
        """Have new workers in place of those that have left.

        Raises:
            ClusterError: The cluster refuses them.
        """
        self.job = await worker_job.start(self._cluster, self._spec, is_supplied=self._is_supplied)

    async def _works(self, job: str) -> bool:
        """Wait until one of those that were there already works, or all have left."""
        while (await self._broker.counts()).workers == 0:
            workers = await look(self._cluster, self._spec.queue)
            if workers is None or job not in workers.job.split() or workers.has_ended:
                return False
            if workers.is_stuck:
                raise ClusterError(workers.diagnoses[0].text)
            self._on_progress(f"waiting for the workers of Job {job}")
            await asyncio.sleep(_LOOK_EVERY)
        return True

    async def _check(self, job: str) -> None:
        try:
            checked = await until_able(self._cluster, self._spec, job, self._on_progress)
        except BaseException:
            made = await self._cluster.get("Job", job)
            if made and job_state(made) != "failed":
                await self._cluster.delete("Job", job)
            raise
        await self._broker.declare(checked.delays)

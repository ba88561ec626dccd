"""One run of a batch that runs by itself, from within the cluster; and the CronJob that starts it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.batch import start_over
from warrener.brokers import connect
from warrener.errors import ClusterError, ObjectMissing, QueueMissing
from warrener.journal import Begun, read_journal
from warrener.kubernetes.diagnosis.pods import is_bound, unbound
from warrener.kubernetes.manifests.names import PART_OF, object_names
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.app_check import check
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.installed import as_installed
from warrener.kubernetes.operations.submit import Submission
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.failure_limit import FailureLimit
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.monitor import Status
    from warrener.rows import Summary
    from warrener.sources import Line
    from warrener.writers import ResultWriter

_LEAVING: Final = 120.0  # seconds
_LOOK_EVERY: Final = 1.0
_KINDS: Final = ("CronJob", "RoleBinding", "Role", "ServiceAccount", "ConfigMap")


def begun_by(run: str, source: str, app: str, planned: int | None) -> Begun:
    """The record of a run, which is the same for each of its pods: what one has begun, the next goes on with.

    Args:
        run: The name of the CronJob's Job.
        source: Where its tasks come from.
        app: What they are run with.
        planned: How many tasks there will be, where that is known.
    """
    return Begun(uuid4().hex, f"{run}:{source}", time.time(), app, by=f"Job {run}", planned=planned)


async def schedule(
    cluster: Cluster,
    spec: Spec,
    on_progress: Callable[[str], None],
    on_note: Callable[[str], None] = lambda _: None,
) -> str:
    """Have a batch run by itself from now on, on a queue that is made where it is missing; its CronJob's name.

    Args:
        cluster: Where.
        spec: What, with its schedule.
        on_progress: Told what is being done.
        on_note: Told what may be in the way of the first run.

    Raises:
        ObjectMissing: The volume's claim is not there.
        UsageError: The spec is for another broker than the namespace has.
        ClusterError: The cluster refuses something.
        BrokerError: The broker is lost, or refuses something.
    """
    spec = await as_installed(cluster, spec)
    await worker_job.refuse_kedas(cluster, spec.queue)
    if spec.schedule and spec.schedule.volume:
        await _see_to_claim(cluster, spec.schedule.volume, on_note)
    await prepare(cluster, spec, [], on_progress)
    for manifest in render(spec, ["workers"]):
        await cluster.apply(manifest)
    return spec.names.schedule


async def _see_to_claim(cluster: Cluster, name: str, on_note: Callable[[str], None]) -> None:
    """See, before the night, that there is the volume with the tasks."""
    claims = await cluster.list("PersistentVolumeClaim")
    claim = next((found for found in claims if found["metadata"]["name"] == name), None)
    if claim is None:
        raise ObjectMissing(
            f"there is no PersistentVolumeClaim {name!r} in namespace {cluster.namespace}: make it first, with the tasks on it"
        )
    if not is_bound(claim):
        told = await cluster.events("PersistentVolumeClaim", name)
        describe = cluster.commands.kubectl(f"describe pvc {name}")
        way_out = (
            f"a pod that mounts it must be there first, or something is wrong with its class (`{describe}`)"
        )
        on_note(f"note: {unbound(claim, told, way_out).text}; until then no task is on it")


async def unschedule(cluster: Cluster, queue: str) -> None:
    """Take a queue's schedule away, and with it its run that goes on; that one's workers stay.

    Raises:
        ObjectMissing: There is none.
    """
    name = object_names(queue).schedule
    if not any(found["metadata"]["name"] == name for found in await cluster.list("CronJob", PART_OF)):
        raise ObjectMissing(
            f"queue {queue!r} has no schedule in namespace {cluster.namespace} (no CronJob {name})"
        )
    for kind in _KINDS:
        await cluster.delete(kind, name)


async def run_scheduled(
    cluster: Cluster,
    spec: Spec,
    address: Address,
    begun: Begun,
    lines: Iterator[Line],
    *,
    target: ResultWriter | None,
    limit: FailureLimit | None = None,
    on_progress: Callable[[str], None],
    on_look: Callable[[Status, WorkerJob, str | None], None],
) -> Summary:
    """Run the batch of this time. What the time before has left on the queue is dropped, once the app is known to import.

    Raises:
        AppError: The app cannot be used; nothing was dropped then.
        ClusterError: Something stands in the way.
        BrokerError: The broker is lost, or refuses something.
        LimitExceeded: More of its tasks failed than may, and it is paused until the next run or `warrener resume`.
    """
    async with connect(address) as broker:
        is_new = not await _is_begun(broker, begun)
        if is_new:
            # Those of the time before are there yet where that ran into its deadline.
            on_progress("waiting until the workers of the time before have left")
            await worker_job.stop(cluster, spec.queue)
            delays = (await check(cluster, spec, on_progress, is_supplied=True)).delays
            await _until_left(broker, spec.queue, on_progress)
            await start_over(broker, address)
            await broker.declare(sorted({*delay_schedule([RetryPolicy()]), *delays}))
            if spec.keep_logs:
                await broker.keep_output()
        submission = Submission(
            cluster,
            spec,
            begun,
            limit=limit,
            is_supplied=True,
            on_progress=on_progress,
            on_look=on_look,
        )
        summary = await submission.work(broker, lines, target, waits=True, is_checked=is_new)
        assert summary  # noqa: S101 - since it waits
        return summary


async def _is_begun(broker: Broker, begun: Begun) -> bool:
    """Whether another pod of this run has begun it."""
    with suppress(QueueMissing):
        first = (await read_journal(broker)).first
        return first is not None and first.source == begun.source
    return False


async def _until_left(broker: Broker, queue: str, on_progress: Callable[[str], None]) -> None:
    """Wait until nobody works on the queue: of a worker that was killed, the broker knows it some heartbeats later."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _LEAVING
    with suppress(QueueMissing):
        while workers := (await broker.counts()).workers:
            if loop.time() > end:
                raise ClusterError(
                    f"{workers} workers of others are at work on queue {queue!r}, whose tasks of the time before are to be "
                    "dropped: stop them"
                )
            on_progress(f"{workers} workers of the time before have not left yet")
            await asyncio.sleep(_LOOK_EVERY)

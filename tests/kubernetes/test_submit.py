"""Watching a batch in a cluster: it ends with the truth, which is the broker's, and not with the Job."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS, drain, publish, task
from tests.kubernetes.double import Double, ended
from tests.kubernetes.specs import small_spec
from warrener.brokers import connect
from warrener.errors import BrokerUnreachable, ClusterError, ObjectMissing, QueueTaken, UsageError
from warrener.journal import note
from warrener.kubernetes.operations import submit, worker_job
from warrener.kubernetes.operations import watch as watching
from warrener.kubernetes.operations.app_check import Checked
from warrener.monitor import Monitor, Status
from warrener.provenance import begun_from, begun_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from warrener.address import Address
    from warrener.brokers import Counts
    from warrener.kubernetes.operations.look import WorkerJob

SPEC = small_spec()
JOB = "images-workers"


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(watching, "_STUCK_FOR", 0.05)


@pytest.fixture
async def cluster() -> Double:
    double = Double()
    await worker_job.start(double, SPEC)
    return double


async def watch(
    cluster: Double,
    address: Address,
    total: int | None,
    on_look: Callable[[Status, WorkerJob], None] = lambda *_: None,
) -> None:
    async with asyncio.timeout(30), connect(address) as broker:
        await watching.watch(cluster, broker, "images", Monitor(broker, total), on_look)


async def two_tasks(address: Address) -> None:
    await publish(address, [task("echo", "a"), task("permanent", "b")])


async def test_all_is_done_when_every_task_has_ended(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    cluster.pod(JOB)
    looks: list[tuple[int, int]] = []

    def on_look(status: Status, workers: WorkerJob) -> None:
        looks.append((status.done, workers.pods.running))

    watching = asyncio.create_task(watch(cluster, sqlite_address, 2, on_look))
    await asyncio.sleep(0.2)
    assert not watching.done()  # a worker runs, and nothing is done
    await drain(sqlite_address)
    await watching

    assert looks[0] == (0, 1)
    assert looks[-1] == (2, 1)


async def test_a_job_that_failed_with_all_done_is_a_success(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    await drain(sqlite_address)
    cluster.end(JOB, "Failed", "FailedIndexes")
    cluster.pod(JOB, "Failed", **ended(137))

    await watch(cluster, sqlite_address, 2)


async def test_a_job_that_is_complete_with_work_left_is_none(
    cluster: Double, sqlite_address: Address
) -> None:
    await two_tasks(sqlite_address)
    cluster.end(JOB, "Complete")
    cluster.pod(JOB, "Succeeded", **ended(0))

    with pytest.raises(ClusterError) as caught:
        await watch(cluster, sqlite_address, 2)

    assert str(caught.value) == (
        "nobody works on what is left: Job images-workers is complete; "
        "then go on with `warrener k8s resume --queue images --namespace batch`"
    )


async def test_tasks_that_are_lost_are_not_waited_for_in_silence(
    cluster: Double, sqlite_address: Address
) -> None:
    await two_tasks(sqlite_address)
    await drain(sqlite_address)
    cluster.end(JOB, "Complete")

    with pytest.raises(ClusterError, match="nobody works on what is left"):
        await watch(cluster, sqlite_address, 3)


async def test_what_stopped_the_workers_is_said(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    cluster.end(JOB, "Failed", "DeadlineExceeded")

    with pytest.raises(ClusterError, match=r"Job images-workers ran into its time limit of 86400 s.*resume"):
        await watch(cluster, sqlite_address, 2)


async def test_workers_that_can_never_start(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    cluster.pod(JOB, "Pending", name="pod")
    cluster.tell("Pod", "pod", "FailedMount", 'secret "images-worker" not found')

    with pytest.raises(ClusterError, match="Secret images-worker, which the pods mount, does not exist"):
        await watch(cluster, sqlite_address, 2)


async def test_cancelled_elsewhere(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    await worker_job.cancel(cluster, "images")

    with pytest.raises(
        ClusterError,
        match=r"is suspended: go on with `warrener k8s resume --queue images --namespace batch`$",
    ):
        await watch(cluster, sqlite_address, 2)


async def test_deleted_elsewhere(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    await cluster.delete("Job", JOB)

    with pytest.raises(ObjectMissing, match="the workers' Job was deleted; go on with"):
        await watch(cluster, sqlite_address, 2)


async def test_resumed_elsewhere_it_watches_the_new_job(cluster: Double, sqlite_address: Address) -> None:
    await two_tasks(sqlite_address)
    cluster.end(JOB, "Failed", "FailedIndexes")
    await worker_job.resume(cluster, "images")
    cluster.pod(f"{JOB}-2")
    seen: set[str] = set()
    watching = asyncio.create_task(
        watch(cluster, sqlite_address, 2, lambda _, workers: seen.add(workers.job))
    )
    await drain(sqlite_address)
    await watching

    assert seen == {f"{JOB}-2"}


async def test_admission_by_kueue_is_waited_for(sqlite_address: Address) -> None:
    cluster = Double()
    await worker_job.start(cluster, small_spec(kueue="team"))
    cluster.objects["Job", JOB]["spec"]["suspend"] = True
    await two_tasks(sqlite_address)
    watching = asyncio.create_task(watch(cluster, sqlite_address, 2))
    await asyncio.sleep(0.5)
    assert not watching.done()  # ten times as long as anything else that does not start
    await drain(sqlite_address)

    await watching


async def test_a_broker_that_is_being_replaced_is_waited_for(
    cluster: Double, sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_tasks(sqlite_address)
    await drain(sqlite_address)
    async with connect(sqlite_address) as broker:
        counts, refusals = broker.counts, iter(range(3))

        async def sometimes() -> Counts:
            if next(refusals, None) is not None:
                raise BrokerUnreachable("it is away")
            return await counts()

        monkeypatch.setattr(broker, "counts", sometimes)
        async with asyncio.timeout(30):
            await watching.watch(cluster, broker, "images", Monitor(broker, 2), lambda *_: None)


async def test_an_empty_queue_is_done(cluster: Double, sqlite_address: Address) -> None:
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    cluster.end(JOB, "Complete")

    await watch(cluster, sqlite_address, None)


async def test_a_queue_that_stands_is_not_submitted_to() -> None:
    cluster = Double()
    submission = submit.Submission(
        cluster,
        small_spec(autoscale="keda"),
        begun_now("-"),
        on_progress=lambda _: None,
        on_look=lambda *_: None,
    )

    with pytest.raises(UsageError, match="--autoscale is for a queue that stands"):
        await submission.run(iter(()), None)

    assert cluster.deeds == []


async def test_a_queue_of_another_batch_is_refused_with_ways_out_that_there_are(
    monkeypatch: pytest.MonkeyPatch, cluster: Double, sqlite_address: Address
) -> None:
    @asynccontextmanager
    async def queue_of(*_: object) -> AsyncIterator[Address]:
        yield sqlite_address

    monkeypatch.setattr(submit, "queue_of", queue_of)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
        await note(broker, begun_from("desk:other.jsonl", "", 0))
    submission = submit.Submission(
        cluster,
        SPEC,
        begun_from("desk:tasks.jsonl", "", 0),
        on_progress=lambda _: None,
        on_look=lambda *_: None,
    )

    with pytest.raises(
        QueueTaken, match=r"with --queue NAME, add .* with --share, or start over with --fresh"
    ):
        await submission.run(iter(()), None)


async def test_a_fresh_start_drops_what_is_there_unless_its_workers_are_at_work(
    monkeypatch: pytest.MonkeyPatch, sqlite_address: Address
) -> None:
    @asynccontextmanager
    async def queue_of(*_: object) -> AsyncIterator[Address]:
        yield sqlite_address

    async def prepare(*_: object) -> None: ...
    async def check(*_: object) -> Checked:
        return Checked(DELAYS)

    monkeypatch.setattr(submit, "queue_of", queue_of)
    monkeypatch.setattr(submit, "prepare", prepare)
    monkeypatch.setattr(submit, "check", check)
    await two_tasks(sqlite_address)
    cluster = Double()

    def submission() -> submit.Submission:
        return submit.Submission(
            cluster,
            SPEC,
            begun_from("desk:tasks.jsonl", "", 0),
            is_fresh=True,
            on_progress=lambda _: None,
            on_look=lambda *_: None,
        )

    await submission().run(iter(()), None)

    async with connect(sqlite_address) as broker:
        assert (await broker.counts()).ready == 0
    await two_tasks(sqlite_address)
    with pytest.raises(
        UsageError,
        match=r"workers of Job images-workers are at work: stop them with `warrener k8s cancel .*`",
    ):
        await submission().run(iter(()), None)
    async with connect(sqlite_address) as broker:
        assert (await broker.counts()).ready == 2

"""Watching a batch in a cluster: it ends with the truth, which is the broker's, and not with the Job."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import DELAYS, drain, publish, task
from tests.kubernetes.double import Double, ended
from tests.kubernetes.specs import small_spec
from warrener.brokers import connect
from warrener.completion import Completion
from warrener.errors import (
    AppError,
    BrokerUnreachable,
    ClusterError,
    ObjectMissing,
    QueueTaken,
    UsageError,
)
from warrener.failure_limit import FailureLimit, LimitExceeded
from warrener.journal import Left, note
from warrener.kubernetes.operations import first_worker, submit, worker_job
from warrener.kubernetes.operations import watch as watching
from warrener.kubernetes.operations.ability import Checked
from warrener.kubernetes.operations.crew import Crew
from warrener.models import Task
from warrener.monitor import Monitor, Status
from warrener.provenance import begun_from, begun_now
from warrener.sources import Line
from warrener.writers import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from warrener.address import Address
    from warrener.brokers import Broker, Counts
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Objects
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.rows import Summary

SPEC = small_spec()
JOB = "images-workers"


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(watching, "_STUCK_FOR", 0.05)
    monkeypatch.setattr(worker_job, "_LOOK_EVERY", 0.01)


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
        await watching.watch(cluster, "images", Monitor(broker, total), by_counts(broker), on_look)


def by_counts(broker: Broker) -> Callable[[Status], Awaitable[bool]]:
    completion = Completion(broker)

    async def is_over(status: Status) -> bool:
        return status.is_finished and await completion.is_proven_by(status.counts)

    return is_over


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
            await watching.watch(cluster, "images", Monitor(broker, 2), by_counts(broker), lambda *_: None)


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


@pytest.mark.parametrize("spec", [SPEC, small_spec(memory="1Gi")], ids=["same", "other"])
async def test_a_queue_of_another_batch_is_refused_with_ways_out_that_there_are(
    monkeypatch: pytest.MonkeyPatch, cluster: Double, sqlite_address: Address, spec: Spec
) -> None:
    """Whatever its workers are made of."""

    @asynccontextmanager
    async def queue_of(*_: object) -> AsyncIterator[Address]:
        yield sqlite_address

    monkeypatch.setattr(submit, "queue_of", queue_of)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
        other = begun_from("desk:other.jsonl", "", 0)
        await note(broker, other)
        await note(broker, Left(other.run))
    submission = submit.Submission(
        cluster,
        spec,
        begun_from("desk:tasks.jsonl", "", 0),
        on_progress=lambda _: None,
        on_look=lambda *_: None,
    )

    with pytest.raises(
        QueueTaken, match=r"with --queue NAME, add .* with --share, or start over with --fresh"
    ):
        await submission.run(iter(()), None)


@pytest.fixture
def _queue_here(monkeypatch: pytest.MonkeyPatch, sqlite_address: Address) -> None:
    """The cluster's queue is an embedded one."""

    @asynccontextmanager
    async def queue_of(*_: object) -> AsyncIterator[Address]:
        yield sqlite_address

    async def prepare(*_: object) -> None: ...

    monkeypatch.setattr(submit, "queue_of", queue_of)
    monkeypatch.setattr(submit, "prepare", prepare)
    monkeypatch.setattr(first_worker, "_ASK_EVERY", 0.01)
    monkeypatch.setattr(first_worker, "_LOOK_EVERY", 0.01)


def a_submission(cluster: Double, file: str = "tasks.jsonl") -> submit.Submission:
    return submit.Submission(
        cluster,
        SPEC,
        begun_from(f"desk:{file}", "desk:app.py", 2),
        on_progress=lambda _: None,
        on_look=lambda *_: None,
    )


def two_lines() -> Iterator[Line]:
    return iter([Line(1, Task("a", "echo", {})), Line(2, Task("b", "permanent", {}))])


def jobs_of(cluster: Double) -> list[str]:
    return [name for kind, name in cluster.objects if kind == "Job"]


async def counted(address: Address) -> Counts:
    async with connect(address) as broker:
        return await broker.counts()


@pytest.mark.usefixtures("_queue_here")
async def test_an_app_that_does_not_import_leaves_nothing_published_and_its_job_with_its_logs(
    sqlite_address: Address,
) -> None:
    cluster = Double()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)

    def react(made: dict[str, Any]) -> None:
        if made["kind"] == "Job":
            cluster.pod(
                JOB, "Failed", **ended(78, "warrener: app 'app' does not import: No module named 'x'")
            )
            cluster.end(JOB, "Failed", "PodFailurePolicy")

    cluster.on_create = react

    with pytest.raises(AppError, match=r"can never work: .* does not import: No module named 'x'"):
        await a_submission(cluster).run(two_lines(), None)

    assert (await counted(sqlite_address)).ready == 0
    assert jobs_of(cluster) == [JOB]


@pytest.mark.usefixtures("_queue_here")
async def test_one_that_is_stopped_before_its_workers_are_at_work_leaves_nothing(
    sqlite_address: Address,
) -> None:
    cluster = Double()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    submission = a_submission(cluster)
    running = asyncio.create_task(submission.run(two_lines(), None))
    while not jobs_of(cluster):
        await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert submission.job is None
    assert jobs_of(cluster) == []
    assert (await counted(sqlite_address)).ready == 0


@pytest.mark.usefixtures("_queue_here")
async def test_the_end_is_known_by_the_rows_and_workers_that_had_left_are_followed_by_others(
    sqlite_address: Address, tmp_path: Path
) -> None:
    # Given a cluster whose first worker imports the app, and leaves before anything is published
    cluster = Double()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    workers = []

    def react(made: dict[str, Any]) -> None:
        name = made["metadata"]["name"]
        if made["kind"] != "Job":
            return
        cluster.pod(name, name=name)
        cluster.output[name] = ['INFO the app is imported; its retries need {"delays":[50]}']
        if name == JOB:
            cluster.end(name, "Complete")
        else:
            workers.append(asyncio.create_task(drain(sqlite_address, awaits_runs=True)))

    cluster.on_create = react
    # When two tasks are submitted, of which one fails
    submission = a_submission(cluster)
    with opened(str(tmp_path / "out.jsonl"), "jsonl") as target:
        async with asyncio.timeout(30):
            summary = await submission.run(two_lines(), target)
    # Then all is there, and nobody has waited for a count
    assert summary
    assert (summary.completed, summary.failed, summary.missing) == (1, 1, 0)
    assert submission.job == f"{JOB}-2"
    await asyncio.gather(*workers)
    # And the same again starts nobody
    again = a_submission(cluster)
    with opened(str(tmp_path / "out.jsonl"), "jsonl") as target:
        summary = await again.run(two_lines(), target)
    assert (again.job, again.were_done) == (None, 2)
    assert jobs_of(cluster) == [JOB, f"{JOB}-2"]


def working_in(
    cluster: Double, address: Address, workers: list[asyncio.Task[Any]]
) -> Callable[[dict[str, Any]], None]:
    """Has each Job that is made begin to work on the queue."""

    def react(made: dict[str, Any]) -> None:
        if made["kind"] == "Job":
            cluster.pod(JOB, name="pod")
            cluster.output["pod"] = ['INFO the app is imported; its retries need {"delays":[50]}']
            workers.append(asyncio.create_task(drain(address, awaits_runs=True)))

    return react


@pytest.mark.usefixtures("_queue_here")
async def test_one_whose_tasks_fail_too_often_is_paused_and_says_how_to_go_on(
    sqlite_address: Address, tmp_path: Path
) -> None:
    cluster, workers = Double(), list[asyncio.Task[Any]]()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)

    cluster.on_create = working_in(cluster, sqlite_address, workers)
    submission = submit.Submission(
        cluster,
        SPEC,
        begun_from("desk:tasks.jsonl", "desk:app.py", 2),
        limit=FailureLimit(0),
        on_progress=lambda _: None,
        on_look=lambda *_: None,
    )
    waits = Task("c", "wait_for", {"file": str(tmp_path / "go"), "log": str(tmp_path / "log")})
    lines = iter([Line(1, Task("b", "permanent", {})), Line(2, waits)])

    with pytest.raises(LimitExceeded) as caught, opened(str(tmp_path / "out.jsonl"), "jsonl") as target:
        async with asyncio.timeout(60):
            await submission.run(lines, target)

    assert str(caught.value) == (
        "more than 0 tasks failed (1), so the batch is paused: see `warrener failures list --broker k8s:batch --queue images`; "
        "its workers go on with `warrener resume --broker k8s:batch --queue images`"
    )
    assert jobs_of(cluster) == [JOB]
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@pytest.mark.usefixtures("_queue_here")
async def test_one_whose_rows_cannot_be_written_ends_and_leaves_its_workers_at_work(
    sqlite_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, workers = Double(), list[asyncio.Task[Any]]()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)

    def write(rows: Sequence[bytes]) -> None:
        if rows:
            raise UsageError("the disk is full")

    cluster.on_create = working_in(cluster, sqlite_address, workers)
    waits = Task("c", "wait_for", {"file": str(tmp_path / "go"), "log": str(tmp_path / "log")})
    lines = iter([Line(1, Task("a", "echo", {})), Line(2, waits)])

    with opened(str(tmp_path / "out.jsonl"), "jsonl") as target:
        monkeypatch.setattr(target, "write", write)
        with pytest.raises(UsageError, match="the disk is full"):
            async with asyncio.timeout(60):
                await a_submission(cluster).run(lines, target)

    assert jobs_of(cluster) == [JOB]
    (tmp_path / "go").touch()
    await asyncio.gather(*workers)


class Shared(Double):
    """A namespace where two look for Jobs at the same moment each time, until they part."""

    def __init__(self) -> None:
        super().__init__()
        self._both = asyncio.Barrier(2)

    async def part(self) -> None:
        await self._both.abort()

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        found = await super().list(kind, labels)
        if kind == "Job":
            with suppress(asyncio.BrokenBarrierError):
                await self._both.wait()
        return found


@pytest.mark.usefixtures("_queue_here")
async def test_of_two_files_at_the_same_moment_one_has_the_queue_and_the_other_leaves_it_alone(
    sqlite_address: Address, tmp_path: Path
) -> None:
    cluster, workers = Shared(), list[asyncio.Task[Any]]()
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    cluster.on_create = working_in(cluster, sqlite_address, workers)

    async def submitted(name: str) -> Summary | None:
        with opened(str(tmp_path / f"{name}.out.jsonl"), "jsonl") as target:
            try:
                return await a_submission(cluster, f"{name}.jsonl").run(two_lines(), target)
            finally:
                await cluster.part()

    async with asyncio.timeout(60):
        ends = await asyncio.gather(submitted("one"), submitted("other"), return_exceptions=True)

    (refused,) = [end for end in ends if isinstance(end, BaseException)]
    assert isinstance(refused, QueueTaken)
    (summary,) = [end for end in ends if not isinstance(end, BaseException)]
    assert summary
    assert (summary.completed, summary.failed, summary.missing) == (1, 1, 0)
    assert ("delete", "Job", JOB) not in cluster.deeds
    assert jobs_of(cluster) == [JOB]
    await asyncio.gather(*workers)


async def test_one_that_is_stopped_leaves_the_workers_that_another_has_started_at_the_same_moment(
    sqlite_address: Address,
) -> None:
    cluster, said = Shared(), (list[str](), list[str]())
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
        crews = [Crew(cluster, SPEC, broker, each.append, is_checked=False) for each in said]
        beginning = [asyncio.create_task(crew.begin()) for crew in crews]
        while not jobs_of(cluster):
            await asyncio.sleep(0)
        await cluster.part()
        while not all(said):
            await asyncio.sleep(0.01)

        late = "waiting for the workers" in said[1][0]
        await crews[late].close()
        assert jobs_of(cluster) == [JOB]
        await crews[not late].close()
        assert jobs_of(cluster) == []
        await asyncio.gather(*beginning, return_exceptions=True)


async def test_workers_that_are_there_stay_as_many_as_they_are_which_is_said() -> None:
    cluster = Double()
    job = await worker_job.start(cluster, SPEC)
    several = small_spec(parallelism=SPEC.parallelism + 3)

    assert await worker_job.find(cluster, several) == job
    assert await worker_job.other_size(cluster, SPEC, job) == ""
    assert await worker_job.other_size(cluster, several, job) == (
        f"Job {job} stays at {SPEC.parallelism} workers, instead of {SPEC.parallelism + 3}: "
        f"`warrener k8s scale {SPEC.parallelism + 3} --queue images --namespace batch` changes that"
    )
    for other in ({"deadline": 5}, {"ttl": 5}, {"egress": ("10.0.0.0/8",)}, {"kueue": "team"}):
        with pytest.raises(ClusterError, match="of another version of the app or with other options"):
            await worker_job.find(cluster, small_spec(**other))


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
    await worker_job.start(cluster, SPEC)
    await two_tasks(sqlite_address)
    with pytest.raises(
        UsageError,
        match=r"workers of Job images-workers are at work: stop them with `warrener k8s cancel .*`",
    ):
        await submission().run(iter(()), None)
    async with connect(sqlite_address) as broker:
        assert (await broker.counts()).ready == 2

"""Queues whose workers are KEDA's or Kueue's: nothing is done against them, and what is not there is said."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.kubernetes.double import Double
from tests.kubernetes.specs import small_spec
from warrener.cli.k8s.logs import logs
from warrener.cli.k8s.submit import submit
from warrener.errors import ClusterError
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.look import look
from warrener.kubernetes.operations.submit import Submission
from warrener.provenance import begun_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.kubernetes.objects import Object

JOB = "images-workers"


@pytest.fixture
async def kedas() -> Double:
    """A queue of KEDA's, with two Jobs that it has started, of which one has ended."""
    cluster = Double()
    cluster.lacks.clear()
    for manifest in render(small_spec(autoscale="keda"), ["workers"]):
        await cluster.apply(manifest)
    scaled = cluster.objects["ScaledJob", "images-workers"]
    for name in ("images-workers-x7k2p", "images-workers-b4c9d"):
        about = {
            "name": name,
            "namespace": "batch",
            # As KEDA does: the labels and annotations of the ScaledJob, and its own.
            "labels": {**scaled["metadata"]["labels"], "scaledjob.keda.sh/name": "images-workers"},
            "annotations": scaled["metadata"]["annotations"],
        }
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": about,
            "spec": scaled["spec"]["jobTargetRef"],
        }
        await cluster.create(job)
        cluster.pod(name)
    cluster.end("images-workers-x7k2p", "Complete")
    cluster.deeds.clear()
    return cluster


async def test_jobs_of_kedas_are_shown_as_what_they_are(kedas: Double) -> None:
    workers = await look(kedas, "images")

    assert workers
    assert (workers.job, workers.state) == ("images-workers of KEDA's", "running")
    assert (workers.pods.wanted, workers.pods.running) == (1, 1)
    kedas.end("images-workers-b4c9d", "Complete")
    workers = await look(kedas, "images")
    assert workers
    assert (workers.state, workers.pods.wanted) == ("complete", 0)


@pytest.mark.parametrize(
    "verb",
    [
        lambda cluster: worker_job.scale(cluster, "images", 8),
        lambda cluster: worker_job.cancel(cluster, "images"),
        lambda cluster: worker_job.resume(cluster, "images"),
        lambda cluster: Submission(
            cluster, small_spec(), begun_now("-"), on_progress=lambda _: None, on_look=lambda *_: None
        ).run(iter(()), None),
    ],
    ids=["scale", "cancel", "resume", "submit"],
)
async def test_nothing_is_done_against_keda(
    kedas: Double, verb: Callable[[Double], Awaitable[object]]
) -> None:
    with pytest.raises(
        ClusterError, match=r"the workers of queue 'images' are KEDA's \(ScaledJob images-workers\)"
    ):
        await verb(kedas)

    assert kedas.deeds == []


def admitted(job: Object) -> None:
    """As Kueue leaves a Job that it lets start, also once that has ended."""
    metadata = job["spec"]["template"]["metadata"]
    metadata["labels"] |= {
        "kueue.x-k8s.io/cluster-queue-name": "all",
        "kueue.x-k8s.io/local-queue-name": "team",
        "kueue.x-k8s.io/podset": "main",
    }
    metadata["annotations"] |= {"kueue.x-k8s.io/workload": f"job-{job['metadata']['name']}-192d0"}


async def test_resuming_brings_nothing_that_kueue_wrote() -> None:
    cluster = Double()
    await worker_job.start(cluster, small_spec(kueue="team"))
    first = cluster.objects["Job", JOB]
    admitted(first)
    cluster.end(JOB, "Failed", "DeadlineExceeded")

    name = await worker_job.resume(cluster, "images")

    again = cluster.objects["Job", name]
    assert "kueue" not in str(again["spec"]["template"])
    assert again["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"


async def test_growing_stops_nothing_that_kueue_has_admitted() -> None:
    # Given four workers that Kueue has admitted, and a quota for no more
    cluster = Double()
    spec = small_spec(kueue="team", parallelism=4)
    await worker_job.start(cluster, spec)
    first = cluster.objects["Job", JOB]
    admitted(first)
    before = copy.deepcopy(first)
    cluster.pod(JOB)

    def hold_back(made: dict[str, Any]) -> None:
        made["spec"]["suspend"] = True  # as Kueue does with each new Job

    cluster.on_create = hold_back
    # When eight are wanted, and then seven
    said = await worker_job.scale(cluster, "images", 8)
    # Then others wait in a Job of their own, which is said
    assert said == (
        f"4 workers start once Kueue admits them all (Job {JOB}-2): see `warrener k8s status --queue images --namespace batch`; "
        "the 4 that there are go on meanwhile"
    )
    assert first == before
    assert cluster.objects["Job", f"{JOB}-2"]["spec"]["parallelism"] == 4
    # And what Kueue wrote into the first one is not in it, since it would never start
    assert "kueue" not in str(cluster.objects["Job", f"{JOB}-2"]["spec"]["template"])
    await worker_job.scale(cluster, "images", 7)
    assert cluster.objects["Job", f"{JOB}-2"]["spec"]["parallelism"] == 3
    workers = await look(cluster, "images")
    assert workers
    assert (workers.job, workers.pods.running, workers.has_ended) == (f"{JOB} and {JOB}-2", 1, False)
    assert "waits until Kueue's queue 'team' admits it" in workers.diagnoses[0].text
    # And fewer than there are cannot be had, but those that wait need not come
    with pytest.raises(ClusterError, match=r"admitted by Kueue, which stops them all.*--parallelism 2$"):
        await worker_job.scale(cluster, "images", 2)
    await worker_job.scale(cluster, "images", 4)
    assert ("Job", f"{JOB}-2") not in cluster.objects
    assert first == before
    # And all of them are cancelled, and resumed as they were at first
    await worker_job.scale(cluster, "images", 6)
    cluster.end(JOB, "Complete")
    await worker_job.cancel(cluster, "images")
    assert [name for kind, name in cluster.objects if kind == "Job"] == [JOB]


async def test_logs_of_pods_that_have_none_are_said_to_be_none(
    monkeypatch: pytest.MonkeyPatch, kedas: Double
) -> None:
    monkeypatch.setattr(Cluster, "open", lambda **_: kedas)
    words = ["--failed", "--queue", "images", "--namespace", "batch"]

    done = await asyncio.to_thread(CliRunner().invoke, logs, words)

    assert (done.exit_code, done.output) == (0, "no pod of queue 'images' has failed: there are 2\n")


@pytest.mark.parametrize("more", [[], ["--failed"], ["-f"]])
def test_logs_of_a_queue_that_is_not_there(monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    cluster = Double()
    monkeypatch.setattr(Cluster, "open", lambda **_: cluster)

    done = CliRunner().invoke(logs, ["--queue", "images", "--namespace", "batch", *more])
    assert (done.exit_code, done.output) == (
        3,
        "warrener: there is no queue 'images' in namespace batch: there is none\n",
    )

    cluster.objects.clear()
    done = CliRunner().invoke(logs, ["--queue", "images", "--namespace", "batch", *more])
    assert done.exit_code == 3
    assert "there is no namespace batch: choose another one" in done.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "has no tasks: nothing was done"),
        ('{"type": "a"}\n{"typ": "a"}\n', "tasks.jsonl, line 2: unknown member 'typ'"),
    ],
)
def test_tasks_are_read_before_a_cluster_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Cluster, "open", lambda **_: pytest.fail("it was asked"))
    Path("app.py").write_text("")
    if text is not None:
        Path("tasks.jsonl").write_text(text)

    done = CliRunner().invoke(submit, ["app.py", "tasks.jsonl", "-o", "out.jsonl"])

    assert done.exit_code == 2
    assert sentence in done.output

"""The workers of a queue: what becomes of their Job with each verb."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.kubernetes.double import Double, ended, waiting
from tests.kubernetes.specs import small_spec
from warrener.errors import ClusterError, ObjectMissing, UsageError
from warrener.kubernetes import lint
from warrener.kubernetes.manifests.code import Code
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.credentials import give_passwords
from warrener.kubernetes.operations.look import look
from warrener.kubernetes.operations.uninstall import uninstall

SPEC = small_spec(code=Code(b"zip"), parallelism=4)
JOB = "images-workers"


@pytest.fixture
def cluster() -> Double:
    return Double()


async def test_jobs_are_numbered_one_after_the_other(cluster: Double) -> None:
    assert await worker_job.start(cluster, SPEC) == JOB
    cluster.end(JOB, "Complete")
    assert await worker_job.start(cluster, SPEC) == f"{JOB}-2"
    cluster.end(f"{JOB}-2", "Failed", "DeadlineExceeded")
    assert await worker_job.start(cluster, SPEC) == f"{JOB}-3"

    workers = await look(cluster, "images")
    assert workers
    assert (workers.job, workers.state) == (f"{JOB}-3", "running")
    assert {name for kind, name in cluster.objects if kind == "Job"} == {JOB, f"{JOB}-2", f"{JOB}-3"}


async def test_numbers_begin_again_before_names_grow_too_long(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    first = cluster.objects.pop(("Job", JOB))
    for number in (1, 98, 99):
        name = JOB if number == 1 else f"{JOB}-{number}"
        about = {**first["metadata"], "name": name, "creationTimestamp": f"2026-11-23T00:00:{number}Z"}
        cluster.objects["Job", name] = {**first, "metadata": about}
        cluster.end(name, "Complete")

    assert await worker_job.start(cluster, SPEC) == JOB

    cluster.end(JOB, "Complete")
    assert await worker_job.resume(cluster, "images") == f"{JOB}-2"
    assert ("delete", "Job", JOB) in cluster.deeds


@pytest.mark.parametrize("state", ["running", "not admitted"])
async def test_workers_of_the_same_make_are_gone_on_with(cluster: Double, state: str) -> None:
    spec = small_spec(kueue="team") if state == "not admitted" else SPEC
    await worker_job.start(cluster, spec)
    if state == "not admitted":
        cluster.objects["Job", JOB]["spec"]["suspend"] = True
    await worker_job.scale(cluster, "images", 2)
    deeds = [*cluster.deeds]

    assert await worker_job.find(cluster, spec) == JOB
    assert await worker_job.start(cluster, spec) == JOB

    assert cluster.deeds == deeds


@pytest.mark.parametrize("other", [{"memory": "1Gi"}, {"code": Code(b"edited")}])
async def test_no_second_workers_beside_those_of_another_make(cluster: Double, other: dict[str, Any]) -> None:
    await worker_job.start(cluster, SPEC)
    spec = msgspec.structs.replace(SPEC, **other)

    for verb in (worker_job.find, worker_job.start):
        with pytest.raises(
            ClusterError, match=r"already \(Job images-workers\), of another version of the app"
        ):
            await verb(cluster, spec)


async def test_workers_that_are_about_to_end_are_waited_for(
    cluster: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_job, "_LOOK_EVERY", 0.01)
    await worker_job.start(cluster, SPEC)
    cluster.end(JOB, "SuccessCriteriaMet")
    assert await worker_job.find(cluster, SPEC) is None
    starting = asyncio.create_task(worker_job.start(cluster, SPEC))
    await asyncio.sleep(0.05)
    assert not starting.done()

    cluster.end(JOB, "Complete")

    assert await starting == f"{JOB}-2"


async def test_other_workers_after_a_cancel(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    await worker_job.cancel(cluster, "images")

    assert await worker_job.start(cluster, small_spec(memory="1Gi")) == f"{JOB}-2"

    jobs = [deed for deed in cluster.deeds if deed[1] == "Job"]
    assert jobs[-2:] == [("create", "Job", f"{JOB}-2"), ("delete", "Job", JOB)]


async def test_a_job_that_is_being_deleted_is_gone(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    cluster.objects["Job", JOB]["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"

    assert await look(cluster, "images") is None


async def test_resume_makes_a_job_like_the_last_one(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    first = cluster.objects["Job", JOB]
    first["metadata"]["annotations"]["batch.kubernetes.io/job-tracking"] = ""
    first["spec"]["suspend"] = True

    assert await worker_job.resume(cluster, "images") == f"{JOB}-2"

    second = cluster.objects["Job", f"{JOB}-2"]
    assert ("Job", JOB) not in cluster.objects
    assert lint.check([second]) == []
    changes = dict(second["spec"]) | {"selector": first["spec"]["selector"], "suspend": True}
    changes["template"] = first["spec"]["template"]
    assert changes == first["spec"]
    assert second["spec"]["template"]["spec"] == first["spec"]["template"]["spec"]
    assert second["metadata"]["annotations"]["warrener/queue"] == "images"
    assert await worker_job.find(cluster, SPEC) == f"{JOB}-2"
    assert second["metadata"]["labels"] == {
        key: value for key, value in first["metadata"]["labels"].items() if "job-name" not in key
    }
    # The new Job is there before the last one goes: whatever breaks in between, one is left to go on from.
    assert cluster.deeds[-2:] == [("create", "Job", f"{JOB}-2"), ("delete", "Job", JOB)]


@pytest.mark.parametrize("goes_by_down", [True, False])
async def test_resume_makes_a_job_like_the_last_one_also_where_that_is_gone(
    cluster: Double, *, goes_by_down: bool
) -> None:
    wanted = small_spec(code=Code(b"zip"), parallelism=3)
    await give_passwords(cluster, wanted)
    await worker_job.start(cluster, wanted)
    first = cluster.objects["Job", JOB]
    cluster.end(JOB, "Complete")
    if goes_by_down:
        await uninstall(cluster, purge=False)
        assert ("Job", JOB) not in cluster.objects
    else:
        await cluster.delete("Job", JOB)  # as Kubernetes does a day after its end

    assert await worker_job.resume(cluster, "images", 5) == JOB

    made = cluster.objects["Job", JOB]
    assert made["spec"]["template"]["spec"] == first["spec"]["template"]["spec"]
    assert made["spec"]["parallelism"] == 5
    assert ("ConfigMap", wanted.names.code(Code(b"zip").digest)) in cluster.objects
    assert ("NetworkPolicy", JOB) in cluster.objects
    # A purge forgets it
    await uninstall(cluster, purge=True)
    with pytest.raises(ObjectMissing, match="has no Job in namespace batch to go on from"):
        await worker_job.resume(cluster, "images")


async def test_resume_with_other_workers(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    cluster.end(JOB, "Failed", "FailedIndexes")

    await worker_job.resume(cluster, "images", 9)

    spec = cluster.objects["Job", f"{JOB}-2"]["spec"]
    assert (spec["parallelism"], spec["completions"], spec["maxFailedIndexes"]) == (9, 9, 5)


async def test_resume_needs_a_job_that_has_ended(cluster: Double) -> None:
    with pytest.raises(
        ObjectMissing, match=r"no Job in namespace batch to go on from: use `warrener k8s submit`"
    ):
        await worker_job.resume(cluster, "images")
    await worker_job.start(cluster, SPEC)
    with pytest.raises(ClusterError, match="the workers of queue 'images' are at work"):
        await worker_job.resume(cluster, "images")


async def test_scale_changes_three_fields_at_once(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    patches: list[Any] = []
    patch = cluster.patch

    async def noted(kind: str, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        patches.append(changes)
        return await patch(kind, name, changes)

    cluster.patch = noted  # type: ignore[method-assign]
    assert await worker_job.scale(cluster, "images", 7) == f"Job {JOB} has 7 workers now"
    assert await worker_job.scale(cluster, "images", 1) == f"Job {JOB} has 1 workers now"

    assert patches == [
        {"spec": {"parallelism": 7, "completions": 7, "maxFailedIndexes": 4}},
        {"spec": {"parallelism": 1, "completions": 1, "maxFailedIndexes": 1}},
    ]


async def test_scale_says_what_is_wrong(cluster: Double) -> None:
    for number in (0, 1001):
        with pytest.raises(UsageError, match=rf"{number} workers are out of range: use 1 to 1000"):
            await worker_job.scale(cluster, "images", number)
    with pytest.raises(ObjectMissing, match="queue 'images' has no workers in namespace batch"):
        await worker_job.scale(cluster, "images", 2)
    await worker_job.start(cluster, SPEC)
    cluster.end(JOB, "Complete")
    with pytest.raises(
        ClusterError,
        match=r"have ended \(Job images-workers is complete\).*`warrener k8s resume --queue images --namespace batch`",
    ):
        await worker_job.scale(cluster, "images", 2)


async def test_cancel_suspends_and_resume_goes_on(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)

    assert await worker_job.cancel(cluster, "images") == JOB

    assert cluster.objects["Job", JOB]["spec"]["suspend"] is True
    workers = await look(cluster, "images")
    assert workers
    assert workers.state == "suspended"
    assert workers.has_ended
    assert await worker_job.resume(cluster, "images") == f"{JOB}-2"


async def test_cancel_under_kueue_deletes(cluster: Double) -> None:
    await worker_job.start(cluster, small_spec(kueue="team"))

    assert await worker_job.cancel(cluster, "images") == JOB

    assert await look(cluster, "images") is None


async def test_a_job_that_kueue_has_not_admitted_has_not_ended(cluster: Double) -> None:
    await worker_job.start(cluster, small_spec(kueue="team"))
    cluster.objects["Job", JOB]["spec"]["suspend"] = True

    workers = await look(cluster, "images")

    assert workers
    assert (workers.state, workers.has_ended, workers.is_stuck) == ("suspended", False, False)


async def test_a_look_sees_the_jobs_own_pods_and_what_is_in_their_way(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    cluster.pod(JOB)
    cluster.pod(JOB, "Pending", **waiting("InvalidImageName", ""))
    cluster.pod(JOB, "Pending", name="unmounted")
    cluster.tell("Pod", "unmounted", "FailedMount", 'MountVolume failed: secret "images-worker" not found')
    left = cluster.pod(JOB, "Failed", name="left", **ended(78, "no module"))
    left["metadata"]["labels"] = {
        **left["metadata"]["labels"],
        "batch.kubernetes.io/controller-uid": "another",
    }

    workers = await look(cluster, "images")

    assert workers
    assert (workers.pods.wanted, workers.pods.running, workers.pods.pending, workers.pods.failed) == (
        4,
        1,
        2,
        0,
    )
    assert [diagnosis.reason for diagnosis in workers.diagnoses] == ["InvalidImageName", "FailedMount"]
    assert not workers.is_stuck  # one works


async def test_events_cost_two_requests_however_many_pods_wait(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    for number in range(20):
        cluster.pod(JOB, "Pending", name=f"pod-{number}")
    cluster.tell("Pod", "pod-7", "FailedMount", 'MountVolume failed: secret "images-worker" not found')
    cluster.tell("Pod", "pod-8", "Pulled", "nothing of interest")
    cluster.tell("Pod", "another", "FailedMount", "of another Job")
    cluster.asked = 0

    workers = await look(cluster, "images")

    assert workers
    assert [(diagnosis.reason, diagnosis.pods) for diagnosis in workers.diagnoses] == [
        ("FailedMount", ("pod-7",))
    ]
    assert cluster.asked == 2


async def test_an_image_that_is_still_pulled_is_said(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    cluster.tell("Pod", "another", "Pulling", "of another Job")
    cluster.pod(JOB, "Pending", name="pod-1")
    assert (await look(cluster, "images")).diagnoses == ()  # type: ignore[union-attr]
    cluster.tell("Pod", "pod-1", "Pulling", 'Pulling image "warrener:1.2.3"')

    workers = await look(cluster, "images")

    assert workers
    assert [(found.text, found.fatal) for found in workers.diagnoses] == [
        (
            "a node is still pulling image warrener:1.2.3: if that does not end, check that it reaches the registry",
            False,
        )
    ]
    cluster.objects["Pod", "pod-1"]["status"]["phase"] = "Running"
    assert (await look(cluster, "images")).diagnoses == ()  # type: ignore[union-attr]


async def test_nobody_works_and_waiting_cannot_help(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    cluster.tell(
        "Job",
        JOB,
        "FailedCreate",
        'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": x (y)',
    )

    workers = await look(cluster, "images")

    assert workers
    assert workers.is_stuck
    assert "pod-security.kubernetes.io/enforce=restricted" in workers.diagnoses[0].text


async def test_queues_of_one_namespace_do_not_see_each_other(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)

    assert await look(cluster, "images-2") is None
    assert await worker_job.start(cluster, small_spec(queue="images-2")) == "images-2-workers"


async def test_until_the_last_pod_is_gone(cluster: Double) -> None:
    await worker_job.start(cluster, SPEC)
    pod = cluster.pod(JOB)
    gone = asyncio.create_task(worker_job.until_gone(cluster, JOB))
    await asyncio.sleep(0.05)
    assert not gone.done()

    pod["status"]["phase"] = "Failed"

    async with asyncio.timeout(10):
        await gone

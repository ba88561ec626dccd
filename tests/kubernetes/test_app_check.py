"""The import check in a cluster: what each end of its pod means."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.double import Double, ended, waiting
from tests.kubernetes.specs import small_spec
from warrener.errors import AppError, ClusterError, ObjectMissing
from warrener.kubernetes.manifests.code import Code
from warrener.kubernetes.operations import ability, app_check

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = small_spec(code=Code(b"zip"))
JOB = "images-check"


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ability, "_SETTLING", 0.05)
    monkeypatch.setattr(app_check, "_LOOK_EVERY", 0.01)


@pytest.fixture
def cluster() -> Double:
    return Double()


def with_pod(cluster: Double, *what: Any, then: Callable[[], None] = lambda: None, **status: Any) -> None:
    """Let the check's Job have a pod."""

    def react(made: dict[str, Any]) -> None:
        if made["kind"] == "Job":
            cluster.pod(JOB, *what, name="pod", **status)
            then()

    cluster.on_create = react


async def test_delays_of_an_app_that_can_be_run(cluster: Double) -> None:
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "Complete"), **ended(0))
    cluster.output["pod"] = ["warrener: broker cannot be reached; trying again", '{"delays":[1000,2000]}']
    said: list[str] = []

    checked = await app_check.check(cluster, SPEC, said.append)

    assert checked.delays == [1000, 2000]
    assert ("Job", JOB) not in cluster.objects
    assert ("Pod", "pod") not in cluster.objects
    assert any(kind == "ConfigMap" for kind, _ in cluster.objects)  # the workers need it next


async def test_a_job_that_is_about_to_be_complete_is_waited_for(cluster: Double) -> None:
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "SuccessCriteriaMet"), **ended(0))
    cluster.output["pod"] = ['{"delays":[1]}']

    checked = await app_check.check(cluster, SPEC, lambda _: cluster.end(JOB, "Complete"))

    assert checked.delays == [1]


async def test_an_app_that_does_not_import(cluster: Double) -> None:
    message = "Traceback ...\nwarrener: app 'app' does not import: No module named 'numpy'"
    with_pod(
        cluster,
        "Failed",
        then=lambda: cluster.end(JOB, "Failed", "BackoffLimitExceeded"),
        **ended(78, message),
    )

    with pytest.raises(
        AppError, match=r"can never work: warrener: app 'app' does not import: No module named"
    ):
        await app_check.check(cluster, SPEC, lambda _: None)

    assert ("Job", JOB) not in cluster.objects


async def test_a_missing_secret(cluster: Double) -> None:
    with_pod(cluster, "Pending")
    cluster.tell("Pod", "pod", "FailedMount", 'MountVolume.SetUp failed: secret "images-worker" not found')

    with pytest.raises(
        ClusterError,
        match=r"Secret images-worker, which the pods mount, does not exist: .*`warrener k8s up --queue images --namespace batch`",
    ):
        await app_check.check(cluster, SPEC, lambda _: None)

    assert ("Job", JOB) not in cluster.objects


async def test_an_image_that_is_not_there(cluster: Double) -> None:
    with_pod(cluster, "Pending", **waiting("ErrImagePull", "manifest unknown"))

    with pytest.raises(
        ClusterError, match="image warrener:1 is not there or not for us to pull: correct --image"
    ):
        await app_check.check(cluster, SPEC, lambda _: None)


async def test_what_may_pass_is_waited_for(cluster: Double) -> None:
    with_pod(cluster, "Pending", **waiting("ErrImagePull", "i/o timeout"))
    cluster.output["pod"] = ['{"delays":[]}']
    said: list[str] = []

    def on_progress(text: str) -> None:
        said.append(text)
        if len(said) == 20:  # longer than anything is given to settle
            cluster.end(JOB, "Complete")

    await app_check.check(cluster, SPEC, on_progress)

    assert "image warrener:1 cannot be pulled (i/o timeout)" in said[0]


async def test_when_time_is_over_it_says_what_the_pod_waited_for(cluster: Double) -> None:
    with_pod(cluster, "Pending", **waiting("ErrImagePull", "i/o timeout"))

    def on_progress(_: str) -> None:
        del cluster.objects["Pod", "pod"]
        cluster.end(JOB, "Failed", "DeadlineExceeded")

    with pytest.raises(ClusterError, match=r"image warrener:1 cannot be pulled \(i/o timeout\)"):
        await app_check.check(cluster, SPEC, on_progress)


async def test_an_import_without_end(cluster: Double) -> None:
    with_pod(cluster, "Running", then=lambda: cluster.end(JOB, "Failed", "DeadlineExceeded"))

    with pytest.raises(ClusterError, match="the app was not imported within 600 s"):
        await app_check.check(cluster, SPEC, lambda _: None)


async def test_what_an_earlier_check_left_is_no_answer(cluster: Double) -> None:
    with_pod(cluster, "Failed", then=lambda: cluster.end(JOB, "Failed"), **ended(78, "typo"))
    with pytest.raises(AppError):
        await app_check.check(cluster, SPEC, lambda _: None)
    left = cluster.objects.get(("Pod", "pod"))
    assert left is None
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "Complete"), **ended(0))
    cluster.output["pod"] = ['{"delays":[7]}']

    assert (await app_check.check(cluster, SPEC, lambda _: None)).delays == [7]


async def test_somebody_deletes_the_check(cluster: Double) -> None:
    with_pod(cluster, "Running")

    with pytest.raises(ObjectMissing, match="Job images-check was deleted while it checked the app"):
        await app_check.check(cluster, SPEC, lambda _: cluster.objects.clear())


@pytest.mark.parametrize("output", [[], ["hello"], ["{", '{"delays": 5}', "{}", '{"other": []}']])
async def test_a_log_without_an_answer(cluster: Double, output: list[str]) -> None:
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "Complete"), **ended(0))
    cluster.output["pod"] = output

    with pytest.raises(
        ClusterError, match=r"ended well \(Job images-check\), but its log does not have the answer"
    ):
        await app_check.check(cluster, SPEC, lambda _: None)


async def test_what_the_app_writes_is_no_answer(cluster: Double) -> None:
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "Complete"), **ended(0))
    cluster.output["pod"] = ["{ loading", '{"delays":[5]}', '{"level":"info"}', "{"]

    assert (await app_check.check(cluster, SPEC, lambda _: None)).delays == [5]


async def test_the_answer_is_the_pods_that_succeeded(cluster: Double) -> None:
    def evicted_before() -> None:
        cluster.pod(JOB, "Failed", name="evicted", **ended(137))
        cluster.end(JOB, "Complete")

    with_pod(cluster, "Succeeded", then=evicted_before, **ended(0))
    cluster.output["pod"] = ['{"delays":[5]}']
    cluster.output["evicted"] = ['{"delays":[7]}']

    assert (await app_check.check(cluster, SPEC, lambda _: None)).delays == [5]


async def test_two_checks_take_turns(cluster: Double) -> None:
    def react(made: dict[str, Any]) -> None:
        if made["kind"] == "Job":
            cluster.pod(JOB, "Running", name="pod")

    cluster.on_create = react
    cluster.output["pod"] = ['{"delays":[1]}']
    said: list[str] = []
    first = asyncio.create_task(app_check.check(cluster, SPEC, lambda _: None))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(app_check.check(cluster, SPEC, said.append))
    while not said:
        await asyncio.sleep(0.01)
    assert said[0] == f"waiting for another submit of this queue, which checks its app (Job {JOB})"

    for check in (first, second):
        while ("Job", JOB) not in cluster.objects:
            await asyncio.sleep(0.01)
        cluster.objects["Pod", "pod"]["status"] = {"phase": "Succeeded", **ended(0)}
        cluster.end(JOB, "Complete")
        assert (await check).delays == [1]
    assert [deed for deed in cluster.deeds if deed[1] == "Job"] == [
        ("create", "Job", JOB),
        ("delete", "Job", JOB),
    ] * 2


async def test_check_that_was_left_behind_is_removed(
    cluster: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_check, "_LEFT_AFTER", 0.02)
    left = asyncio.create_task(app_check.check(cluster, SPEC, lambda _: None))
    while ("Job", JOB) not in cluster.objects:
        await asyncio.sleep(0.01)
    kept = cluster.objects["Job", JOB]
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    cluster.objects["Job", JOB] = kept
    cluster.end(JOB, "Complete")
    with_pod(cluster, "Succeeded", then=lambda: cluster.end(JOB, "Complete"), **ended(0))
    cluster.output["pod"] = ['{"delays":[1]}']

    assert (await app_check.check(cluster, SPEC, lambda _: None)).delays == [1]

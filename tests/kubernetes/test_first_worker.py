"""The first worker of a Job: what each of its ends means before it has imported the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.double import Double, ended, waiting
from tests.kubernetes.specs import small_spec
from warrener.errors import AppError, ClusterError, ObjectMissing
from warrener.kubernetes.operations import ability, first_worker, worker_job
from warrener.kubernetes.operations.first_worker import until_able

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.kubernetes.operations.ability import Checked

SPEC = small_spec()
JOB = "images-workers"
SAYS = 'INFO the app is imported; its retries need {"delays":[1000,2000]}'


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ability, "_SETTLING", 0.05)
    monkeypatch.setattr(first_worker, "_PATIENCE", 0.05)
    monkeypatch.setattr(first_worker, "_ASK_EVERY", 0.01)
    monkeypatch.setattr(first_worker, "_LOOK_EVERY", 0.0)


@pytest.fixture
async def cluster() -> Double:
    double = Double()
    await worker_job.start(double, SPEC)
    return double


async def wait(cluster: Double, on_progress: Callable[[str], None] = lambda _: None) -> Checked:
    return await until_able(cluster, SPEC, JOB, on_progress)


async def test_what_it_needs_is_in_its_log_beside_what_the_app_writes(cluster: Double) -> None:
    cluster.pod(JOB, "Pending", name="other")
    cluster.pod(JOB, name="pod")

    def on_progress(_: str) -> None:
        cluster.output["pod"] = ["{ loading", '{"level":"info"}', SAYS, '{"delays": 5}', "{"]

    assert (await wait(cluster, on_progress)).delays == [1000, 2000]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (
            ended(78, "warrener: app 'app' does not import: No module named 'numpy'"),
            AppError,
            "No module named 'numpy'",
        ),
        (ended(1, "Traceback ...\nKeyError: 'x'"), ClusterError, "ended with exit code 1: KeyError: 'x'"),
        (
            ended(75, "warrener: nosuchhost:5672 cannot be reached"),
            ClusterError,
            "nosuchhost:5672 cannot be reached",
        ),
    ],
)
async def test_one_that_has_failed_says_why(
    cluster: Double, status: dict[str, Any], kind: type[Exception], said: str
) -> None:
    cluster.pod(JOB, "Failed", name="pod", **status)
    looks: list[str] = []

    def on_progress(text: str) -> None:
        looks.append(text)
        if kind is AppError and len(looks) == 20:  # longer than anything is waited for
            cluster.end(JOB, "Failed", "PodFailurePolicy")

    with pytest.raises(kind, match=said):
        await wait(cluster, on_progress)


async def test_one_that_was_evicted_is_followed_by_another(cluster: Double) -> None:
    pod = cluster.pod(JOB, "Failed", name="pod", **ended(75, "warrener: stopped"))
    pod["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    ]
    said: list[str] = []

    def on_progress(text: str) -> None:
        said.append(text)
        if len(said) == 5:
            cluster.pod(JOB, name="next")
            cluster.output["next"] = [SAYS]

    assert (await wait(cluster, on_progress)).delays == [1000, 2000]
    assert "a pod was disrupted" in said[0]


async def test_one_that_can_never_start_is_given_up(cluster: Double) -> None:
    cluster.pod(JOB, "Pending", name="pod", **waiting("ErrImagePull", "manifest unknown"))

    with pytest.raises(ClusterError, match="image warrener:1 is not there or not for us to pull"):
        await wait(cluster)


async def test_one_that_may_start_later_is_waited_for(cluster: Double) -> None:
    cluster.pod(JOB, "Pending", name="pod", **waiting("ErrImagePull", "i/o timeout"))
    said: list[str] = []

    def on_progress(text: str) -> None:
        said.append(text)
        if len(said) == 20:  # longer than anything is given to settle
            cluster.pod(JOB, name="pod")
            cluster.output["pod"] = [SAYS]

    await wait(cluster, on_progress)
    assert "image warrener:1 cannot be pulled (i/o timeout)" in said[0]


async def test_workers_that_leave_without_a_word_are_of_another_version(cluster: Double) -> None:
    cluster.pod(JOB, "Succeeded", name="pod", **ended(0))
    cluster.end(JOB, "Complete")

    with pytest.raises(
        ClusterError, match=r"ended well \(Job images-workers\), but its log does not have the answer"
    ):
        await wait(cluster)


async def test_somebody_cancels_or_deletes_it(cluster: Double) -> None:
    with pytest.raises(ObjectMissing, match="was deleted while its first worker was waited for"):
        await wait(cluster, lambda _: cluster.objects.clear())
    await worker_job.start(cluster, SPEC)
    await worker_job.cancel(cluster, "images")
    with pytest.raises(ClusterError, match="is suspended: go on with"):
        await wait(cluster)

"""Workers that wait for a quota of Kueue's, grow within it, and give way to others."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.others import make, remove, version_of
from tests.cluster.test_cluster import assert_exact, finished, square
from warrener.kubernetes.manifests.names import object_names, selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster

QUEUE = "team"
UNBOUNDED = "100"  # GiB, or cores
WORKER = ("--kueue", QUEUE, "--cpu", "20m", "--grace", "0")


@pytest.fixture
def quota(place: Place, request: pytest.FixtureRequest) -> Iterator[str]:
    """A LocalQueue whose quota is so much CPU, and a PriorityClass; the name of what is not in the namespace."""
    version = version_of(place, "kueue.x-k8s.io", "Kueue")
    name, root = f"{place.namespace}-{uuid.uuid4().hex[:4]}", f"/apis/{version}"
    resources = [
        {"name": "cpu", "nominalQuota": request.param},
        {"name": "memory", "nominalQuota": f"{UNBOUNDED}Gi"},
    ]
    group = {
        "coveredResources": ["cpu", "memory"],
        "flavors": [{"name": name, "resources": resources}],
    }
    queue = {
        "namespaceSelector": {},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [group],
    }
    priority = "/apis/scheduling.k8s.io/v1/priorityclasses"
    local = f"{root}/namespaces/{place.namespace}/localqueues"
    try:
        made = {"apiVersion": version, "metadata": {"name": name}}
        make(place, f"{root}/resourceflavors", {**made, "kind": "ResourceFlavor", "spec": {}})
        make(place, f"{root}/clusterqueues", {**made, "kind": "ClusterQueue", "spec": queue})
        make(
            place,
            local,
            {
                "apiVersion": version,
                "kind": "LocalQueue",
                "metadata": {"name": QUEUE},
                "spec": {"clusterQueue": name},
            },
        )
        make(
            place,
            priority,
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": 1000,
                "preemptionPolicy": "Never",  # it is Kueue that makes room
            },
        )
        yield name
    finally:
        for path in (f"{local}/{QUEUE}", f"{root}/clusterqueues/{name}", f"{root}/resourceflavors/{name}"):
            remove(place, path)
        remove(place, f"{priority}/{name}")


def jobs(place: Place, queue: str) -> dict[str, dict[str, Any]]:
    async def ask(cluster: Cluster) -> dict[str, dict[str, Any]]:
        found = await cluster.list("Job", selector(object_names(queue).base, "worker"))
        return {job["metadata"]["name"]: job for job in found}

    return place.ask(ask)


def uids(pods: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


@pytest.mark.parametrize("quota", ["60m"], indirect=True)
@pytest.mark.usefixtures("quota")
def test_growing_under_a_quota_stops_nothing_and_what_is_not_admitted_is_said(place: Place) -> None:
    # Given a quota of three workers, and two at work
    place.tasks("grown", [square(n, 1) for n in range(80)])
    where = ("--queue", "grown", "--namespace", place.namespace)
    submission = place.begin("grown", *WORKER)
    first = uids(place.running("grown", 2))
    # When two more are wanted than there is room for
    done = place.warrener("k8s", "scale", "4", *where)
    assert done.returncode == 0, done.stderr
    assert "2 workers start once Kueue admits them all" in done.stderr
    # Then those that work go on, and what is waited for is said
    assert f"waits until Kueue's queue '{QUEUE}' admits it" in place.warrener("k8s", "status", *where).stderr
    assert uids(place.running("grown", 2)) == first
    # When there is room for it
    assert place.warrener("k8s", "scale", "3", *where).returncode == 0
    # Then it joins them
    assert uids(place.running("grown", 3)) > first
    # And fewer is refused, since Kueue would stop all
    done = place.warrener("k8s", "scale", "1", *where)
    assert (done.returncode, "were admitted by Kueue" in done.stderr) == (3, True), done.stderr

    finished(submission)

    assert_exact(place, "grown", 80, attempts={1})


@pytest.mark.parametrize("quota", ["40m"], indirect=True)
def test_workers_that_give_way_to_a_higher_priority_go_on_after_it(place: Place, quota: str) -> None:
    # Given workers that use up their quota
    place.tasks("lower", [square(n, 1) for n in range(120)])
    lower = place.begin("lower", *WORKER)
    place.running("lower", 2)
    place.until_done("lower", 1)
    # When others come before them
    place.tasks("higher", [square(n, 1) for n in range(6)])
    patch = place.directory / "higher.yaml"
    patch.write_text(f"spec:\n  priorityClassName: {quota}\n")
    higher = place.submit("higher", *WORKER, "--patch", str(patch))
    # Then those run, while the first ones rest
    assert higher.returncode == 0, higher.stderr
    assert_exact(place, "higher", 6, attempts={1})
    assert place.status("lower")["completed"] < 120

    # And the first ones go on afterwards, at no attempt
    finished(lower)

    assert_exact(place, "lower", 120, attempts={1})
    (job,) = jobs(place, "lower").values()
    assert job["status"].get("failed", 0) == 0

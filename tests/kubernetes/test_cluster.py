"""The cluster's interface, over real HTTP before a scripted API server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from kmock import RawHandler

from tests.kubernetes.answers import JOBS, PODS, pod, pod_list, status
from tests.kubernetes.conftest import write_kubeconfig
from warrener.errors import (
    ClusterError,
    ClusterUnreachable,
    UsageError,
)
from warrener.kubernetes.client.cluster import MAX_EVENTS, Cluster

if TYPE_CHECKING:
    from pathlib import Path

# Not its emulator of a cluster: what the API server answers is for each test to say.
pytestmark = pytest.mark.kmock(cls=RawHandler)

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "render-workers"},
    "spec": {"parallelism": 2},
}


async def test_who_asks_is_told(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"get {JOBS}/render-workers"] << JOB

    assert await cluster.get("Job", "render-workers") == JOB
    assert next(iter(kmock)).headers["Authorization"] == "Bearer secret-token"
    assert next(iter(kmock)).headers["User-Agent"] == "warrener"


async def test_an_answer_of_something_else(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"get {JOBS}/it"] << b"<html>welcome</html>"

    with pytest.raises(ClusterUnreachable, match="does not answer as the Kubernetes API does"):
        await cluster.get("Job", "it")


async def test_apply_is_server_side_and_ours(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"patch {JOBS}/render-workers"] << {**JOB, "status": {}}

    applied = await cluster.apply(JOB)

    assert type(applied) is dict
    assert applied == {**JOB, "status": {}}
    request = next(iter(kmock["patch"]))
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.params == {"fieldManager": "warrener"}
    assert request.data == JOB


async def test_an_object_goes_to_its_own_namespace(kmock: RawHandler, cluster: Cluster) -> None:
    path = "/apis/batch/v1/namespaces/other/jobs"
    elsewhere = JOB | {"metadata": {"name": "render-workers", "namespace": "other"}}
    kmock[f"patch {path}/render-workers"] << elsewhere
    kmock[f"post {path}"] << 201 << elsewhere

    await cluster.apply(elsewhere)
    await cluster.create(elsewhere)

    assert [request.url.path for request in kmock] == [f"{path}/render-workers", path]


@pytest.mark.parametrize(
    ("kind", "api_version", "path"),
    [
        (
            "RabbitmqCluster",
            "rabbitmq.com/v1beta1",
            "/apis/rabbitmq.com/v1beta1/namespaces/batch/rabbitmqclusters",
        ),
        ("ScaledJob", "keda.sh/v1alpha1", "/apis/keda.sh/v1alpha1/namespaces/batch/scaledjobs"),
        ("Secret", "v1", "/api/v1/namespaces/batch/secrets"),
        ("Namespace", "v1", "/api/v1/namespaces"),
    ],
)
async def test_every_kind_has_its_place(
    kmock: RawHandler, cluster: Cluster, kind: str, api_version: str, path: str
) -> None:
    found = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it"}}
    kmock[f"get {path}/it"] << found

    assert await cluster.get(kind, "it") == found


async def test_an_unknown_kind_is_left_to_kubectl(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match=r"Deployment is not a kind that Warrener handles .*: use kubectl"):
        await cluster.get("Deployment", "it")


async def test_get_of_a_missing_object_is_none(kmock: RawHandler, cluster: Cluster) -> None:
    missing = status(404, "NotFound", 'jobs.batch "it" not found', name="it", kind="jobs")
    kmock[f"get {JOBS}/it"] << 404 << missing

    assert await cluster.get("Job", "it") is None


async def test_list_selects_by_labels_and_names_the_kind(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"get {PODS}"] << pod_list("7", pod("a", "5"))

    pods = await cluster.list("Pod", {"app.kubernetes.io/instance": "render", "x": "y"})

    assert pods == [{"apiVersion": "v1", "kind": "Pod"} | pod("a", "5")]
    assert next(iter(kmock)).params == {"labelSelector": "app.kubernetes.io/instance=render,x=y"}


async def test_patch_is_a_merge_patch(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"patch {JOBS}/render-workers"] << JOB

    assert await cluster.patch("Job", "render-workers", {"spec": {"parallelism": 3}}) == JOB

    request = next(iter(kmock["patch"]))
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert request.data == {"spec": {"parallelism": 3}}


async def test_delete_always_says_what_becomes_of_the_pods(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << status(200, "", "")

    await cluster.delete("Job", "it")

    assert [request.params for request in kmock] == [{"propagationPolicy": "Background"}]


async def test_delete_of_a_missing_object_is_harmless(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << 404 << status(404, "NotFound", 'jobs.batch "it" not found', name="it")

    await cluster.delete("Job", "it")


async def test_events_of_one_object_in_order(kmock: RawHandler, cluster: Cluster) -> None:
    late = {"metadata": {"name": "1"}, "reason": "Late", "lastTimestamp": "2026-11-24T10:00:02Z"}
    early = {"metadata": {"name": "2"}, "reason": "Early", "eventTime": "2026-11-24T10:00:01.000001Z"}
    kmock["get /api/v1/namespaces/batch/events"] << pod_list("9", late, early)

    assert [event["reason"] for event in await cluster.events("Job", "it")] == ["Early", "Late"]
    params = next(iter(kmock)).params
    assert params["fieldSelector"] == "involvedObject.kind=Job,involvedObject.name=it"


async def test_events_of_a_kind_come_with_one_bounded_request(kmock: RawHandler, cluster: Cluster) -> None:
    told = [{"metadata": {"name": f"{n:04}"}, "reason": "FailedMount"} for n in range(MAX_EVENTS)]
    first = pod_list("9", *told)
    first["metadata"]["continue"] = "there are more"
    kmock["get /api/v1/namespaces/batch/events"] << first

    assert len(await cluster.events("Pod", reason="FailedMount")) == MAX_EVENTS
    (request,) = kmock
    assert request.params == {
        "fieldSelector": "involvedObject.kind=Pod,reason=FailedMount",
        "limit": str(MAX_EVENTS),
    }


async def test_logs(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"get {PODS}/a/log"] << b"one\ntwo\n"

    assert [line async for line in cluster.logs("a", "worker", follow=True)] == ["one", "two"]
    assert next(iter(kmock)).params == {"follow": "true", "container": "worker"}


async def test_a_line_of_a_log_ends_where_the_container_ended_it(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"get {PODS}/a/log"] << "one\u0085\u2028still\x0cone\r\n\ntw".encode() + b"\xff"

    assert [line async for line in cluster.logs("a")] == ["one\u0085\u2028still\x0cone", "", "tw\ufffd"]


@pytest.mark.parametrize("follow", [False, True])
async def test_logs_of_a_pod_that_has_not_started(
    kmock: RawHandler, cluster: Cluster, *, follow: bool
) -> None:
    waiting = 'container "worker" in pod "a" is waiting to start: ContainerCreating'
    kmock[f"get {PODS}/a/log"] << 400 << status(400, "BadRequest", waiting)

    with pytest.raises(ClusterError, match=f"^cannot read the log of Pod a: {waiting}$"):
        await anext(cluster.logs("a", follow=follow))


async def test_the_address_of_a_websocket(kmock: RawHandler, cluster: Cluster) -> None:
    endpoint = await cluster.endpoint("/api/v1/x?ports=5")

    assert endpoint.url == re.sub("^http", "ws", str(kmock.url)).rstrip("/") + "/api/v1/x?ports=5"
    assert endpoint.headers == {"Authorization": "Bearer secret-token"}
    assert endpoint.tls is None


@pytest.mark.parametrize("namespace", ["../kube-system", "a/b", "a b", "A", "a?b", "-"])
def test_what_is_not_the_name_of_a_namespace(tmp_path: Path, namespace: str) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")

    with pytest.raises(UsageError, match=r"is not the name of a namespace: use a-z, 0-9 and '-'$"):
        Cluster.open(kubeconfig=kubeconfig, namespace=namespace)

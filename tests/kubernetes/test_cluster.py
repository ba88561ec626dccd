"""The cluster's interface, over real HTTP before a scripted API server."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from kmock import RawHandler

from tests.kubernetes.conftest import write_kubeconfig
from warrener.errors import (
    ClusterError,
    ClusterRefused,
    ClusterUnreachable,
    ObjectConflict,
    ObjectInvalid,
    ObjectMissing,
    UsageError,
)
from warrener.kubernetes.client import internals, watching
from warrener.kubernetes.client.cluster import MAX_EVENTS, Cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warrener.kubernetes.client.watching import Change

# Not its emulator of a cluster: what the API server answers is for each test to say.
pytestmark = pytest.mark.kmock(cls=RawHandler)

JOBS = "/apis/batch/v1/namespaces/batch/jobs"
PODS = "/api/v1/namespaces/batch/pods"
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "render-workers"},
    "spec": {"parallelism": 2},
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0.01)


def status(code: int, reason: str, message: str, **details: object) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


def pod(name: str, version: str, phase: str = "Pending") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}, "status": {"phase": phase}}


def pod_list(version: str, *pods: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "PodList", "metadata": {"resourceVersion": version}, "items": list(pods)}


async def test_version(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["get /version"] << {"major": "1", "gitVersion": "v1.36.2"}

    assert await cluster.version() == "v1.36.2"
    assert next(iter(kmock)).headers["Authorization"] == "Bearer secret-token"
    assert next(iter(kmock)).headers["User-Agent"] == "warrener"


async def test_a_version_that_is_none(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["get /version"] << {"hello": "world"}

    with pytest.raises(ClusterUnreachable, match="gives answers that are not Kubernetes'"):
        await cluster.version()


def test_lightkube_has_all_that_it_does_not_promise() -> None:
    assert internals.missing() == []


def test_what_an_update_of_lightkube_took_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("lightkube.generic_resource.create_api_info")
    monkeypatch.setattr("lightkube.config.client_adapter.verify_cluster", lambda *_, **__: None)

    found = [part.split(": ")[0] for part in internals.missing()]

    assert found == [
        "config.client_adapter.verify_cluster",
        "generic_resource.create_api_info and its classes",
        "_api_info of a resource",
    ]


async def test_apply_is_server_side_and_ours(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"patch {JOBS}/render-workers"] << {**JOB, "status": {}}

    applied = await cluster.apply(JOB)

    assert type(applied) is dict
    assert applied == {**JOB, "status": {}}
    request = next(iter(kmock["patch"]))
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.params == {"fieldManager": "warrener"}
    assert request.data == JOB


async def test_apply_takes_fields_over_only_on_request(kmock: RawHandler, cluster: Cluster) -> None:
    kmock[f"patch {JOBS}/render-workers"] << JOB

    await cluster.apply(JOB, force=True)

    assert next(iter(kmock["patch"])).params == {"fieldManager": "warrener", "force": "true"}


async def test_apply_names_who_else_manages_a_field(kmock: RawHandler, cluster: Cluster) -> None:
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "kubectl-edit" using batch/v1',
        "field": ".spec.parallelism",
    }
    refused = status(409, "Conflict", "Apply failed with 1 conflict", causes=[cause])
    kmock[f"patch {JOBS}/render-workers"] << 409 << refused

    with pytest.raises(ObjectConflict) as caught:
        await cluster.apply(JOB)

    assert str(caught.value) == (
        'cannot apply Job render-workers: spec.parallelism is managed by "kubectl-edit": '
        "change it the way it was made, or take it over with "
        "`kubectl apply --server-side --force-conflicts --field-manager=warrener`"
    )


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
    with pytest.raises(UsageError, match=r"Deployment is no kind that Warrener handles .*: use kubectl"):
        await cluster.get("Deployment", "it")


async def test_a_kind_the_cluster_lacks(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["patch"] << 404 << b"404 page not found"

    with pytest.raises(ObjectMissing, match="the cluster does not know this kind: install what brings it"):
        await cluster.apply(
            {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": "it"}}
        )


async def test_a_namespace_that_is_not_there(kmock: RawHandler, cluster: Cluster) -> None:
    missing = status(404, "NotFound", 'namespaces "batch" not found', name="batch", kind="namespaces")
    kmock[f"post {JOBS}"] << 404 << missing

    with pytest.raises(ObjectMissing, match=r"there is no namespace batch: make it with `kubectl create"):
        await cluster.create(JOB)


async def test_get_of_a_missing_object_is_none(kmock: RawHandler, cluster: Cluster) -> None:
    missing = status(404, "NotFound", 'jobs.batch "it" not found', name="it", kind="jobs")
    kmock[f"get {JOBS}/it"] << 404 << missing

    assert await cluster.get("Job", "it") is None


async def test_create_fails_when_the_object_exists(kmock: RawHandler, cluster: Cluster) -> None:
    message = 'jobs.batch "render-workers" already exists'
    kmock[f"post {JOBS}"] << 409 << status(409, "AlreadyExists", message, name="render-workers")

    with pytest.raises(ObjectConflict, match=r"^cannot create Job render-workers: it exists already$"):
        await cluster.create(JOB)


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


async def test_patch_of_a_missing_object_says_so(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["patch"] << 404 << status(404, "NotFound", 'jobs.batch "it" not found', name="it")

    with pytest.raises(ObjectMissing, match=r'^cannot change Job it: jobs.batch "it" not found$'):
        await cluster.patch("Job", "it", {})


async def test_delete_always_says_what_becomes_of_the_pods(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << status(200, "", "")

    await cluster.delete("Job", "it")
    await cluster.delete("Job", "it", propagation="Foreground")

    assert [request.params for request in kmock] == [
        {"propagationPolicy": "Background"},
        {"propagationPolicy": "Foreground"},
    ]


async def test_delete_of_a_missing_object_is_harmless(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << 404 << status(404, "NotFound", 'jobs.batch "it" not found', name="it")

    await cluster.delete("Job", "it")


async def test_a_wrong_object_names_field_and_reason(kmock: RawHandler, cluster: Cluster) -> None:
    causes = [
        {
            "reason": "FieldValueInvalid",
            "field": "spec.completions",
            "message": "Invalid value: 3: field is immutable",
        },
        {"reason": "FieldValueRequired", "field": "spec.template", "message": "Required value"},
    ]
    kmock["patch"] << 422 << status(422, "Invalid", "Job is invalid: many words", causes=causes)

    with pytest.raises(ObjectInvalid) as caught:
        await cluster.patch("Job", "it", {})

    assert str(caught.value) == (
        "cannot change Job it: spec.completions: Invalid value: 3: field is immutable; spec.template: Required value"
    )


@pytest.mark.parametrize(
    ("code", "answer", "error", "sentence"),
    [
        (
            401,
            status(401, "Unauthorized", "Unauthorized"),
            ClusterRefused,
            r"does not accept the kubeconfig's credentials: log in again$",
        ),
        (
            403,
            status(403, "Forbidden", 'jobs.batch is forbidden: User "me" cannot list resource "jobs"'),
            ClusterRefused,
            r'^cannot list jobs: jobs.batch is forbidden: User "me" cannot list resource "jobs"$',
        ),
        (429, status(429, "TooManyRequests", "slow down"), ClusterUnreachable, r"slow down$"),
        (503, b"<html>no upstream</html>", ClusterUnreachable, r"answers with HTTP status 503$"),
        (
            400,
            status(400, "BadRequest", "no such selector"),
            ClusterError,
            r"^cannot list jobs: no such selector$",
        ),
        (200, b"<html>log in here</html>", ClusterUnreachable, r"answers that are not Kubernetes'"),
    ],
)
async def test_refusals_are_sentences(
    kmock: RawHandler,
    cluster: Cluster,
    *,
    code: int,
    answer: dict[str, Any] | bytes,
    error: type[Exception],
    sentence: str,
) -> None:
    kmock[f"get {JOBS}"] << code << answer

    with pytest.raises(error, match=sentence) as caught:
        await cluster.list("Job")
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


async def test_nobody_listens(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")

    async with Cluster.open(kubeconfig=kubeconfig) as cluster:
        with pytest.raises(
            ClusterUnreachable, match=r"^http://127.0.0.1:1 cannot be reached: Connection refused$"
        ):
            await cluster.list("Job")
        with pytest.raises(ClusterUnreachable):
            await anext(cluster.watch("Job"))


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


async def seen(cluster: Cluster, count: int) -> list[tuple[str, str, str]]:
    """The first changes of a watch: type, name, phase."""
    changes: list[Change] = []
    async with asyncio.timeout(10), aclosing(cluster.watch("Pod")) as watch:
        async for change in watch:
            changes.append(change)
            if len(changes) == count:
                break
    return [(c.type, c.object["metadata"]["name"], c.object["status"]["phase"]) for c in changes]


async def test_watch_begins_with_what_is_there(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["list", PODS] << pod_list("7", pod("a", "5"))
    running = {"type": "MODIFIED", "object": pod("a", "8", "Running")}
    gone = {"type": "DELETED", "object": pod("a", "9", "Running")}
    kmock["watch", PODS] << (running, gone, ...)

    assert await seen(cluster, 3) == [
        ("added", "a", "Pending"),
        ("modified", "a", "Running"),
        ("deleted", "a", "Running"),
    ]
    assert next(iter(kmock["watch"])).params["resourceVersion"] == "7"


@pytest.mark.parametrize("within_the_stream", [False, True])
async def test_watch_survives_lost_history(
    kmock: RawHandler, cluster: Cluster, *, within_the_stream: bool
) -> None:
    expired = status(410, "Expired", "too old resource version: 7 (9)")
    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"), pod("b", "6"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"), pod("c", "9"))
    if within_the_stream:
        kmock["watch", PODS] << iter([{"type": "ERROR", "object": expired}])
    else:
        kmock["watch", PODS, {"resourceVersion": "7"}] << 410 << expired
    kmock["watch", PODS] << ({"type": "MODIFIED", "object": pod("c", "10", "Running")}, ...)

    assert await seen(cluster, 6) == [
        ("added", "a", "Pending"),
        ("added", "b", "Pending"),
        ("deleted", "b", "Pending"),
        ("modified", "a", "Running"),
        ("added", "c", "Pending"),
        ("modified", "c", "Running"),
    ]


async def test_watch_survives_lost_connections(kmock: RawHandler, cluster: Cluster) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b'{"type": "MODIFIED", "object": {"metada'
        raise ConnectionError

    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"))
    kmock["watch", PODS, {"resourceVersion": "7"}] << breaks_off()
    kmock["watch", PODS] << ({"type": "DELETED", "object": pod("a", "10", "Failed")}, ...)

    assert await seen(cluster, 3) == [
        ("added", "a", "Pending"),
        ("modified", "a", "Running"),
        ("deleted", "a", "Failed"),
    ]


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\u2029", "\x1c"])
async def test_watch_of_objects_with_any_character(
    kmock: RawHandler, cluster: Cluster, character: str
) -> None:
    changed = pod("a", "8", "Running")
    changed["metadata"]["annotations"] = {"note": f"one{character}two"}
    event = json.dumps({"type": "MODIFIED", "object": changed}, ensure_ascii=False)
    kmock["list", PODS] << pod_list("7", pod("a", "5"))
    kmock["watch", PODS] << (event.encode() + b"\n", ...)

    assert await seen(cluster, 2) == [("added", "a", "Pending"), ("modified", "a", "Running")]
    assert len(list(kmock["list"])) == 1  # none was made up for by listing again


async def test_watch_of_something_else_is_no_watch(
    kmock: RawHandler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", -1)
    kmock["list", PODS] << pod_list("7")
    kmock["watch", PODS] << (b"[1]\n", ...)

    with pytest.raises(ClusterUnreachable, match="gives answers that are not Kubernetes'"):
        await anext(cluster.watch("Pod"))


async def test_watch_looks_again_when_all_is_quiet(
    kmock: RawHandler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.05)
    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"))
    kmock["watch", PODS] << (b"", ...)

    assert await seen(cluster, 2) == [("added", "a", "Pending"), ("modified", "a", "Running")]


async def test_watch_of_what_is_forbidden_ends(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["list", PODS] << pod_list("7")
    kmock["watch", PODS] << 403 << status(403, "Forbidden", "no watching")

    with pytest.raises(ClusterRefused, match=r"^cannot watch pods: no watching$"):
        await anext(cluster.watch("Pod"))


async def test_the_address_of_a_websocket(kmock: RawHandler, cluster: Cluster) -> None:
    endpoint = await cluster.endpoint("/api/v1/x?ports=5")

    assert endpoint.url == re.sub("^http", "ws", str(kmock.url)).rstrip("/") + "/api/v1/x?ports=5"
    assert endpoint.headers == {"Authorization": "Bearer secret-token"}
    assert endpoint.tls is None

"""What the API server refuses, as errors of ours with one sentence each."""

from __future__ import annotations

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
)
from warrener.kubernetes.client.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path
from tests.kubernetes.answers import JOBS, status

# Not its emulator of a cluster: what the API server answers is for each test to say.
pytestmark = pytest.mark.kmock(cls=RawHandler)

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "render-workers"},
    "spec": {"parallelism": 2},
}


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


async def test_create_fails_when_the_object_exists(kmock: RawHandler, cluster: Cluster) -> None:
    message = 'jobs.batch "render-workers" already exists'
    kmock[f"post {JOBS}"] << 409 << status(409, "AlreadyExists", message, name="render-workers")

    with pytest.raises(ObjectConflict, match=r"^cannot create Job render-workers: it exists already$"):
        await cluster.create(JOB)


async def test_patch_of_a_missing_object_says_so(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["patch"] << 404 << status(404, "NotFound", 'jobs.batch "it" not found', name="it")

    with pytest.raises(ObjectMissing, match=r'^cannot change Job it: jobs.batch "it" not found$'):
        await cluster.patch("Job", "it", {})


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
        (200, b"<html>log in here</html>", ClusterUnreachable, r"does not answer as the Kubernetes API does"),
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

"""Pods that the cluster does not make, or that lack something: the sentence names the option that helps."""

from __future__ import annotations

import pytest

from tests.kubernetes.brokers import broker_pod, quiet
from tests.kubernetes.double import Double
from tests.kubernetes.patients import COMMANDS, a_job, a_pod, ended, of_pod, unschedulable
from tests.kubernetes.specs import small_spec
from warrener.errors import ClusterError
from warrener.kubernetes.client.refusals import refusal
from warrener.kubernetes.diagnosis.refused import not_created
from warrener.kubernetes.manifests.names import BROKER, labels
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import broker_start

NODE = {"metadata": {"name": BROKER, "labels": labels(BROKER, "broker")}}
QUOTA = (
    'create Pod p failed error: pods "p" is forbidden: exceeded quota: small, requested: requests.memory=2Gi, '
    "used: requests.memory=0, limited: requests.memory=1Gi"
)


@pytest.mark.parametrize(
    ("message", "for_workers", "for_broker"),
    [
        (
            QUOTA,
            ("QuotaExceeded", False, "ask for less (--memory, --cpu), or go on with fewer workers"),
            ("QuotaExceeded", False, "ask for less (--broker-memory), or have it raised"),
        ),
        (
            'pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            ("LimitRange", True, "(maximum memory usage per Container is 1Gi, but limit is 2Gi): choose another --memory"),
            ("LimitRange", True, "choose another --broker-memory, or have it changed"),
        ),
        (
            'pods "p" is forbidden: [minimum cpu usage per Container is 1, but request is 250m, x]',
            ("LimitRange", True, "choose another --cpu"),
            ("LimitRange", True, "choose another --cpu"),
        ),
        (
            'claims "data" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Gi',
            ("LimitRange", True, "choose another --storage"),
            ("LimitRange", True, "choose another --storage"),
        ),
        (
            'pods "p" is forbidden: no PriorityClass with name low was found',
            ("PriorityClassMissing", True, "no PriorityClass low: correct priorityClassName in --patch"),
            ("PriorityClassMissing", True, "no PriorityClass low"),
        ),
    ],
)  # fmt: skip
def test_what_the_namespace_forbids(
    message: str, for_workers: tuple[str, bool, str], for_broker: tuple[str, bool, str]
) -> None:
    for owner, (reason, fatal, part) in ((a_job(), for_workers), (NODE, for_broker)):
        found = not_created(owner, message, COMMANDS)

        assert (found.reason, found.fatal) == (reason, fatal)
        assert part in found.text


def test_a_broker_that_fits_nowhere_asks_for_no_fewer_workers() -> None:
    pod = unschedulable("0/3 nodes are available: 3 Insufficient memory. preemption: none")
    pod["metadata"]["labels"] = labels(BROKER, "broker")

    (found,) = of_pod(pod)

    assert found.text.endswith("ask for less (--broker-memory), or add nodes")


def test_a_pod_that_gave_up_says_its_own_sentence() -> None:
    told = ended(
        75, message="...\nwarrener: nosuchhost:5672 cannot be reached: Temporary failure in name resolution"
    )

    (found,) = of_pod(told)

    assert not found.fatal
    assert found.text == (
        "container worker gave up: warrener: nosuchhost:5672 cannot be reached: Temporary failure in name resolution"
    )
    told["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert of_pod(told) == []  # it was told to end


@pytest.mark.parametrize(
    ("code", "reason", "message", "what"),
    [
        (1, "Error", "/usr/local/bin/python: No module named warrener", "Warrener"),
        (
            128,
            "StartError",
            'failed to create containerd task: ... exec: "python": executable file not found in $PATH',
            "Python",
        ),
    ],
)
def test_an_image_without_what_ours_have(code: int, reason: str, message: str, what: str) -> None:
    (found,) = of_pod(ended(code, reason, message))

    assert found.fatal
    assert f"image i has no {what} " in found.text
    assert "--image" in found.text


def test_the_right_that_is_missing_is_named() -> None:
    message = 'pods "p" is forbidden: User "ann" cannot create resource "pods/portforward" in API group "" in the namespace "b"'

    error = refusal(403, {"message": message}, "forward to Pod p", "https://server")

    assert str(error) == (
        "cannot forward to Pod p: user 'ann' has no right to create pods/portforward in namespace b: ask for it, with the "
        "Role that docs/kubernetes.md lists"
    )


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> Double:
    monkeypatch.setattr(broker_start, "_LOOK_EVERY", 0.01)
    monkeypatch.setattr(broker_start, "_SETTLING", 0.03)
    double = Double()
    for manifest in render(small_spec(), ["broker"]):
        await double.apply(manifest)
    return double


async def until(cluster: Double, sentence: str) -> None:
    """Wait for the broker until that is said, and then let it be ready."""
    said: list[str] = []

    def on_progress(text: str) -> None:
        said.append(text)
        if sentence in text:
            broker_pod(cluster)

    await broker_start.until_ready(cluster, small_spec(), on_progress)
    assert any(sentence in text for text in said)


async def test_a_quota_is_said_at_once_and_waited_on(cluster: Double) -> None:
    cluster.tell("StatefulSet", BROKER, "FailedCreate", QUOTA)

    await until(cluster, "quota small of namespace batch is used up (requested: requests.memory=2Gi")


async def test_what_never_passes_ends_it(cluster: Double) -> None:
    message = 'pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'
    cluster.tell("StatefulSet", BROKER, "FailedCreate", message)

    with pytest.raises(ClusterError, match="the broker does not come up: a LimitRange of namespace batch"):
        await broker_start.until_ready(cluster, small_spec(), quiet)


async def test_a_claim_that_nobody_binds_and_an_image_that_does_not_come(cluster: Double) -> None:
    broker_pod(cluster, ready=False)["status"]["phase"] = "Pending"
    claim = a_pod("data-warrener-rabbitmq-0")
    claim["metadata"]["labels"] = labels(BROKER, "broker")
    cluster.objects["PersistentVolumeClaim", "data-warrener-rabbitmq-0"] = claim
    cluster.tell("PersistentVolumeClaim", "data-warrener-rabbitmq-0", "ExternalProvisioning", "Waiting for x")

    await until(
        cluster, "claim data-warrener-rabbitmq-0 is not bound yet (Waiting for x): choose another --storage"
    )

    claim["status"]["phase"] = "Bound"
    broker_pod(cluster, ready=False)["status"]["phase"] = "Pending"
    cluster.tell("Pod", f"{BROKER}-0", "Pulling", "Pulling image")
    await until(cluster, "the node is still pulling the broker's image")

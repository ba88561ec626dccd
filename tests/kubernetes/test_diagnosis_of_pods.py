"""What stands in the way of pods, told from objects as clusters write them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes.patients import a_pod, disrupted, ended, event, of_pod, unschedulable, waiting
from warrener.kubernetes.diagnosis.counts import PodCounts, count_pods
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis

CRASH_LOOP = a_pod(
    phase="Running",
    containerStatuses=[
        {
            "name": "worker",
            "image": "i",
            "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ],
)


@pytest.mark.parametrize(
    ("pod", "reason", "text", "fatal"),
    [
        pytest.param(
            waiting("ErrImagePull", 'failed to resolve reference "example.org/render:1": not found'),
            "ErrImagePull",
            "image example.org/render:1 is not there or not for us to pull: correct --image, push it, or give the "
            "pods an imagePullSecret with --patch",
            True,
            id="no such image",
        ),
        pytest.param(
            waiting(
                "ImagePullBackOff",
                'Back-off pulling image "example.org/denied/render:1": ErrImagePull: dial tcp: i/o timeout',
                image="example.org/denied/render:1",
            ),
            "ImagePullBackOff",
            'image example.org/denied/render:1 cannot be pulled (Back-off pulling image "example.org/denied/'
            'render:1": ErrImagePull: dial tcp: i/o timeout): check that the nodes reach its registry',
            False,
            id="registry out of reach",
        ),
        pytest.param(
            waiting("InvalidImageName", "couldn't parse image name", image="Render:1"),
            "InvalidImageName",
            "'Render:1' is not the name of an image: correct --image",
            True,
            id="image name",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "render-worker" not found'),
            "CreateContainerConfigError",
            "Secret render-worker does not exist: create it, or run `warrener k8s up --queue render --namespace batch --context test`",
            True,
            id="missing Secret",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'configmap "settings" not found'),
            "CreateContainerConfigError",
            "ConfigMap settings does not exist: create it, or run `warrener k8s up --queue render --namespace batch --context test`",
            True,
            id="missing ConfigMap",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", "couldn't find key url in Secret batch/render-worker"),
            "CreateContainerConfigError",
            "Secret render-worker has no key url: add it",
            True,
            id="missing key",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            "CreateContainerConfigError",
            "the image of container worker runs as root, which is not allowed: build it with USER 10001",
            True,
            id="root",
        ),
        pytest.param(
            unschedulable(
                "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. preemption: 0/3 nodes are "
                "available: 3 No preemption victims found for incoming pod."
            ),
            "Unschedulable",
            "no node takes a pod (0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory): ask for less "
            "(--cpu, --memory), take fewer workers, or add nodes",
            False,
            id="cpu and memory",
        ),
        pytest.param(
            unschedulable(
                "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}. no new claims."
            ),
            "Unschedulable",
            "no node takes a pod (0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}. no new claims): "
            "tolerate gpu with --patch",
            False,
            id="taint",
        ),
        pytest.param(
            unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
            "Unschedulable",
            "a pod's volume claim is not bound: no volume fits, or its storage class cannot make one; see "
            "`kubectl describe pvc --namespace batch --context test`",
            False,
            id="unbound claim",
        ),
        pytest.param(
            ended(137, "OOMKilled"),
            "OOMKilled",
            "container worker was killed (OOMKilled) for using more memory than its limit of 256Mi: raise --memory",
            False,
            id="out of memory",
        ),
        pytest.param(
            ended(78, message="Traceback ...\nwarrener: app.py does not import: No module named 'numpy'\n"),
            "CannotWork",
            "container worker can never work: warrener: app.py does not import: No module named 'numpy'",
            True,
            id="exit code 78",
        ),
        pytest.param(
            ended(128, "StartError", 'exec: "pyhton": executable file not found in $PATH'),
            "StartError",
            'container worker does not start: exec: "pyhton": executable file not found in $PATH',
            True,
            id="no such command",
        ),
        pytest.param(
            ended(1, message="ERROR: No matching distribution found for nmupy", of="initContainerStatuses"),
            "InitContainerFailed",
            "init container requirements failed with exit code 1: ERROR: No matching distribution found for nmupy",
            True,
            id="init container",
        ),
        pytest.param(
            ended(139), "Error", "container worker ended with exit code 139, see its log", False, id="crash"
        ),
        pytest.param(
            CRASH_LOOP,
            "CrashLoopBackOff",
            "container worker was killed (OOMKilled) for using more memory than its limit of 256Mi: raise --memory "
            "(it keeps restarting: 4 times so far)",
            False,
            id="crash loop",
        ),
        pytest.param(
            disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
            "EvictionByEvictionAPI",
            "a pod was disrupted, which costs no attempt: it was evicted, as `kubectl drain` does; it is replaced",
            False,
            id="evicted",
        ),
        pytest.param(
            disrupted("SomethingNew", "moved away"),
            "SomethingNew",
            "a pod was disrupted, which costs no attempt: moved away; it is replaced",
            False,
            id="disrupted for a reason of tomorrow",
        ),
    ],
)
def test_a_pod(pod: dict[str, Any], reason: str, text: str, *, fatal: bool) -> None:
    assert of_pod(pod) == [Diagnosis(reason, text, fatal, ("render-workers-0-abcde",))]


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(phase="Running"),
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        ended(0, "Completed"),
        ended(75),
    ],
)
def test_nothing_is_in_the_way(pod: dict[str, Any]) -> None:
    assert of_pod(pod) == []


@pytest.mark.parametrize(
    ("message", "text", "fatal"),
    [
        (
            'MountVolume.SetUp failed for volume "broker" : secret "render-worker" not found',
            "Secret render-worker, which the pods mount, does not exist: create it, or run `warrener k8s up --queue render --namespace batch --context test`",
            True,
        ),
        (
            'MountVolume.SetUp failed for volume "broker" : references non-existent secret key: url',
            "a Secret that the pods mount has no key url: add it",
            True,
        ),
        ("Unable to attach: timed out", "a volume cannot be mounted: Unable to attach: timed out", False),
    ],
)
def test_volumes_that_cannot_be_mounted(message: str, text: str, *, fatal: bool) -> None:
    pod, told = waiting("ContainerCreating"), [event("FailedMount", message, "render-workers-0-abcde")]

    assert of_pod(pod, told) == [Diagnosis("FailedMount", text, fatal, ("render-workers-0-abcde",))]
    assert of_pod(a_pod(phase="Running"), told) == []


def test_no_control_characters_reach_the_terminal() -> None:
    (diagnosis,) = of_pod(ended(78, message="\x1b[31mno\x07\tapp\x1b[0m"))

    assert diagnosis.text.isprintable()


def test_pods_are_counted_by_what_they_do() -> None:
    stopping = a_pod(phase="Running")
    stopping["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    pods = [
        a_pod(phase="Running"),
        a_pod(),
        stopping,
        a_pod(phase="Succeeded"),
        ended(1),
        ended(75),
        disrupted("PreemptionByScheduler", ""),
    ]

    assert count_pods(pods, 5) == PodCounts(
        wanted=5, running=1, pending=1, stopping=1, succeeded=1, failed=1, disrupted=2
    )

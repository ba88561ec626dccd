"""What stands in the way, told from objects as clusters write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from warrener.kubernetes.commands import Commands
from warrener.kubernetes.diagnosis.counts import PodCounts, count_pods
from warrener.kubernetes.diagnosis.diagnose import diagnose
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.jobs import diagnose_job, job_state
from warrener.kubernetes.diagnosis.pods import diagnose_pod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.kubernetes.objects import Object

COMMANDS = Commands("batch", "test")


def of_pod(pod: Object, events: Sequence[Object] = ()) -> list[Diagnosis]:
    return diagnose_pod(pod, events, COMMANDS)


def of_job(job: Object, events: Sequence[Object] = ()) -> list[Diagnosis]:
    return diagnose_job(job, events, COMMANDS)


def of_all(job: Object, pods: Sequence[Object], events: Sequence[Object]) -> list[Diagnosis]:
    return diagnose(job, pods, events, COMMANDS)


def a_pod(name: str = "render-workers-0-abcde", *, phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "batch", "annotations": {"warrener/queue": "render"}},
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": "requirements"}],
            "containers": [{"name": "worker", "resources": {"limits": {"memory": "256Mi"}}}],
        },
        "status": {"phase": phase, **status},
    }


def waiting(reason: str, message: str = "", image: str = "example.org/render:1") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return a_pod(containerStatuses=[{"name": "worker", "image": image, "restartCount": 0, "state": state}])


def ended(
    code: int, reason: str = "Error", message: str = "", *, of: str = "containerStatuses"
) -> dict[str, Any]:
    name = "worker" if of == "containerStatuses" else "requirements"
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    statuses: dict[str, Any] = {of: [{"name": name, "image": "i", "restartCount": 0, "state": state}]}
    return a_pod(phase="Failed", **statuses)


def unschedulable(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return a_pod(conditions=[condition])


def disrupted(reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    state = {"terminated": {"exitCode": 137, "reason": "Error"}}
    return a_pod(
        phase="Failed",
        conditions=[condition],
        containerStatuses=[{"name": "worker", "image": "i", "restartCount": 0, "state": state}],
    )


def a_job(*conditions: tuple[str, str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "render-workers",
            "namespace": "batch",
            "labels": spec.pop("labels", {}),
            "annotations": {"warrener/queue": "render"},
        },
        "spec": {"parallelism": 2, "completions": 2, **spec},
        "status": {
            "conditions": [
                {"type": kind, "status": "True", "reason": reason, "message": message}
                for kind, reason, message in conditions
            ]
        },
    }


def event(reason: str, message: str, about: str) -> dict[str, Any]:
    return {"reason": reason, "message": message, "involvedObject": {"name": about}}


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
            "'Render:1' is no name of an image: correct --image",
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
            "`kubectl describe pvc --namespace batch --context test`, or choose another --storage-class",
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
            ended(128, "StartError", 'exec: "python": executable file not found in $PATH'),
            "StartError",
            'container worker does not start: exec: "python": executable file not found in $PATH',
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


@pytest.mark.parametrize(
    ("message", "reason", "text", "fatal"),
    [
        pytest.param(
            'Error creating: pods "render-workers-0-x" is forbidden: violates PodSecurity "restricted:latest": '
            'allowPrivilegeEscalation != false (container "worker" must set '
            "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "
            '"worker" must set securityContext.capabilities.drop=["ALL"]), seccompProfile (pod or container "worker" '
            'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
            "PodSecurity",
            "namespace batch has the label pod-security.kubernetes.io/enforce=restricted, which forbids these pods "
            "(allowPrivilegeEscalation != false, unrestricted capabilities, seccompProfile): take what asks for this "
            "out of --patch, or use another namespace",
            True,
            id="Pod Security",
        ),
        pytest.param(
            'Error creating: pods "render-workers-1-y" is forbidden: exceeded quota: small, requested: '
            "requests.memory=256Mi, used: requests.memory=1Gi, limited: requests.memory=1Gi",
            "QuotaExceeded",
            "quota small of namespace batch is used up (requested: requests.memory=256Mi, used: requests.memory=1Gi, "
            "limited: requests.memory=1Gi): wait until others end, or go on with fewer workers (`warrener k8s scale N --queue render --namespace batch --context test`)",
            False,
            id="quota used up",
        ),
        pytest.param(
            'Error creating: pods "x" is forbidden: failed quota: small: must specify limits.cpu for: worker',
            "QuotaExceeded",
            "quota small of namespace batch demands that pods say limits.cpu: add it with --patch",
            True,
            id="quota demands",
        ),
        pytest.param(
            'Error creating: pods "x" is forbidden: error looking up service account batch/robot: serviceaccount '
            '"robot" not found',
            "ServiceAccountMissing",
            "namespace batch has no service account robot: create it",
            True,
            id="service account",
        ),
        pytest.param(
            'Error creating: admission webhook "w" denied the request: no',
            "FailedCreate",
            'the cluster creates no pods: Error creating: admission webhook "w" denied the request: no',
            False,
            id="anything else",
        ),
    ],
)
def test_pods_that_are_not_created(message: str, reason: str, text: str, *, fatal: bool) -> None:
    assert of_job(a_job(), [event("FailedCreate", message, "render-workers")]) == [
        Diagnosis(reason, text, fatal)
    ]


@pytest.mark.parametrize("status", [{"active": 2}, {"active": 1, "succeeded": 1}])
def test_old_events_do_not_count_once_all_pods_are_there(status: dict[str, int]) -> None:
    job = a_job() | {"status": status}

    assert of_job(job, [event("FailedCreate", "Error creating: no", "render-workers")]) == []


def test_events_of_an_earlier_job_of_the_same_name_do_not_count() -> None:
    job = a_job()
    job["metadata"]["uid"] = "new"
    told = event("FailedCreate", "Error creating: no", "render-workers")

    told["involvedObject"]["uid"] = "old"
    assert of_all(job, [], [told]) == []
    told["involvedObject"]["uid"] = "new"
    assert len(of_all(job, [], [told])) == 1


@pytest.mark.parametrize(
    ("job", "reason", "text", "fatal"),
    [
        (
            a_job(
                ("Suspended", "JobSuspended", ""), suspend=True, labels={"kueue.x-k8s.io/queue-name": "team"}
            ),
            "NotAdmitted",
            (
                "Job render-workers waits until Kueue's queue 'team' admits it: see `kubectl describe localqueue team --namespace batch --context test` "
                "for what is ahead of it, or whether there is such a queue"
            ),
            False,
        ),
        (
            a_job(suspend=True),
            "Suspended",
            "Job render-workers is suspended: go on with `warrener k8s resume --queue render --namespace batch --context test`",
            False,
        ),
        (
            a_job(("Failed", "DeadlineExceeded", "Job was active longer"), activeDeadlineSeconds=60),
            "DeadlineExceeded",
            "Job render-workers ran into its time limit of 60 s: submit again with a longer --deadline",
            True,
        ),
        (
            a_job(("Failed", "FailedIndexes", "Job has failed indexes"), backoffLimitPerIndex=6)
            | {
                "status": {
                    "failedIndexes": "0,3-5",
                    "conditions": a_job(("Failed", "FailedIndexes", ""))["status"]["conditions"],
                }
            },
            "FailedIndexes",
            "worker slots 0,3-5 of Job render-workers failed more than 6 times each: see their logs",
            True,
        ),
        (
            a_job(
                (
                    "Failed",
                    "PodFailurePolicy",
                    (
                        "Container worker for pod batch/render-workers-0-a failed with exit code 78 matching FailJob rule "
                        "at index 2"
                    ),
                )
            ),
            "PodFailurePolicy",
            (
                "Job render-workers was stopped because a worker can never work (Container worker for pod "
                "batch/render-workers-0-a failed with exit code 78 matching FailJob rule at index 2): see its log"
            ),
            True,
        ),
        (
            a_job(("Failed", "BackoffLimitExceeded", ""), backoffLimit=0),
            "BackoffLimitExceeded",
            "the pods of Job render-workers failed more than 0 times: see their logs",
            True,
        ),
    ],
)
def test_a_job(job: dict[str, Any], reason: str, text: str, *, fatal: bool) -> None:
    assert of_job(job) == [Diagnosis(reason, text, fatal)]


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (a_job(), "running"),
        (a_job(suspend=True), "suspended"),
        (a_job(("SuccessCriteriaMet", "CompletionsReached", "")), "finishing"),
        (a_job(("FailureTarget", "PodFailurePolicy", "")), "finishing"),
        (a_job(("SuccessCriteriaMet", "", ""), ("Complete", "", "")), "complete"),
        (a_job(("FailureTarget", "", ""), ("Failed", "", "")), "failed"),
    ],
)
def test_interim_conditions_are_not_the_end(job: dict[str, Any], state: str) -> None:
    assert job_state(job) == state
    assert bool(of_job(job)) == (state in {"failed", "suspended"})


def test_what_pods_share_is_said_once_and_the_fatal_first() -> None:
    missing = 'secret "render-worker" not found'
    pods = [
        ended(137, "OOMKilled") | {"metadata": {"name": "a"}},
        waiting("CreateContainerConfigError", missing) | {"metadata": {"name": "b"}},
        waiting("CreateContainerConfigError", missing) | {"metadata": {"name": "c"}},
    ]

    found = of_all(a_job(), pods, [event("FailedMount", "of another pod", "d")])

    assert [(each.reason, each.fatal, each.pods) for each in found] == [
        ("CreateContainerConfigError", True, ("b", "c")),
        ("OOMKilled", False, ("a",)),
    ]


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

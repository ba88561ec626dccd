"""What stands in the way of Jobs, and of their pods together, told from objects as clusters write them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes.patients import a_job, ended, event, of_all, of_job, waiting
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.jobs import job_state


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
            "limited: requests.memory=1Gi): wait until others end, ask for less (--memory, --cpu), or go on with fewer workers (`warrener k8s scale N --queue render --namespace batch --context test`)",
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

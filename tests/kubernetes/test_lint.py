"""One broken object for each rule of the lint."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from tests.kubernetes.specs import PASSWORDS, SPECS
from warrener.kubernetes.lint import check
from warrener.kubernetes.manifests.render import render

JOB = "spec.template.spec"
WORKER = f"{JOB}.containers.0"
LOCK = f"{WORKER}.securityContext"
RULE = "spec.podFailurePolicy.rules.1"
GONE = object()


def broken(name: str, kind: str, path: str, value: Any) -> dict[str, Any]:
    """The last object of a kind with one value changed, or taken out."""
    wanted, parts = SPECS[name]
    found: dict[str, Any] = copy.deepcopy(
        [o for o in render(wanted, parts, PASSWORDS) if o["kind"] == kind][-1]
    )
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = found
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("metadata.name", "Bad_Name", "metadata.name: 'Bad_Name' is not a DNS name"),
        ("metadata.name", "x" * 62, "spec.completions: the pod's name"),
        ("spec.completionMode", "NonIndexed", "spec.backoffLimitPerIndex: needs completionMode Indexed"),
        ("spec.completionMode", "NonIndexed", "spec.maxFailedIndexes: needs completionMode Indexed"),
        ("spec.completions", GONE, "spec.completions: an Indexed Job must have completions and parallelism"),
        ("spec.maxFailedIndexes", 3, "spec.maxFailedIndexes: must be at most completions, which is 2"),
        ("spec.backoffLimitPerIndex", GONE, "spec.maxFailedIndexes: needs backoffLimitPerIndex"),
        (f"{JOB}.restartPolicy", "Sometimes", "must be Never or OnFailure, not Sometimes"),
        (f"{JOB}.restartPolicy", "OnFailure", "spec.podFailurePolicy: needs restartPolicy Never"),
        ("spec.podReplacementPolicy", "TerminatingOrFailed", "spec.podReplacementPolicy: must be Failed"),
        (f"{RULE}.action", "Ignroe", "spec.podFailurePolicy.rules[1]: action 'Ignroe' is none of Ignore"),
        (f"{RULE}.onPodConditions", [], "must have either onExitCodes or onPodConditions"),
        (f"{RULE}.onExitCodes.containerName", "main", "there is no container 'main'"),
        (f"{RULE}.onExitCodes.operator", "Is", "operator 'Is' is neither In nor NotIn"),
        (f"{RULE}.onExitCodes.values", [76, 75], "exit codes [76, 75] must be in order, each once"),
        (f"{RULE}.onExitCodes.values", [75, 75], "must be in order, each once"),
        (f"{RULE}.onExitCodes.values", [], "must be in order, each once"),
        (f"{RULE}.onExitCodes.values", [0, 75], "0 is no failure"),
        (f"{RULE}.onExitCodes.values", [75, 256], "must be from 0 to 255"),
        (f"{JOB}.initContainers", [{"name": "worker"}], "containers: worker is there more than once"),
        (f"{JOB}.volumes.0.name", "broker", "volumes: broker is there more than once"),
        (
            f"{WORKER}.volumeMounts.1.mountPath",
            "/tmp",
            "containers[worker].volumeMounts: /tmp is there more than once",
        ),
        (f"{JOB}.volumes", [], "containers[worker].volumeMounts: there is no volume 'tmp'"),
        (f"{WORKER}.resources.limits.memory", "12Gib", "resources.limits.memory: '12Gib' is not a quantity"),
        (
            f"{WORKER}.resources.limits.memory",
            "1Mi",
            "resources.requests.memory: is more than its limit, 1Mi",
        ),
        (f"{WORKER}.livenessProbe", {"periodSeconds": 0}, "livenessProbe.periodSeconds: must be at least 1"),
        (f"{WORKER}.startupProbe", {"successThreshold": 2}, "startupProbe.successThreshold: must be 1"),
        (f"{JOB}.hostNetwork", True, "hostNetwork: must not be set"),
        (
            f"{JOB}.volumes.0",
            {"name": "tmp", "hostPath": {}},
            "volumes[tmp]: a volume of type hostPath is forbidden",
        ),
        (
            f"{JOB}.securityContext.runAsUser",
            0,
            "spec.template.spec.securityContext.runAsUser: must not be 0",
        ),
        (f"{JOB}.securityContext.runAsNonRoot", GONE, "securityContext.runAsNonRoot: must be true"),
        (
            f"{JOB}.securityContext.seccompProfile",
            GONE,
            "seccompProfile: must be RuntimeDefault or Localhost",
        ),
        (f"{LOCK}.runAsUser", 0, "containers[worker].securityContext.runAsUser: must not be 0"),
        (f"{LOCK}.privileged", True, "securityContext.privileged: must not be set"),
        (f"{LOCK}.allowPrivilegeEscalation", GONE, "securityContext.allowPrivilegeEscalation: must be false"),
        (f"{LOCK}.capabilities.drop", ["KILL"], "securityContext.capabilities.drop: must contain ALL"),
        (f"{LOCK}.capabilities.add", ["SYS_ADMIN"], "capabilities.add: may contain NET_BIND_SERVICE alone"),
        (f"{WORKER}.ports", [{"hostPort": 80}], "containers[worker].ports: must not have a hostPort"),
    ],
)
def test_broken_jobs(path: str, value: object, problem: str) -> None:
    found = broken("workers", "Job", path, value)
    assert any(problem in line for line in check([found])), check([found])


@pytest.mark.parametrize(
    ("name", "kind", "path", "value", "problem"),
    [
        ("statefulset", "Service", "metadata.name", "a.b", "'a.b' is not a DNS label"),
        ("statefulset", "StatefulSet", "spec.selector.matchLabels.app", "x", "does not match the labels"),
        ("statefulset", "StatefulSet", "spec.volumeClaimTemplates", [], "there is no volume 'data'"),
        ("statefulset", "ConfigMap", "data.big", "x" * 2**20, "bytes, more than the 1,048,576"),
        ("secrets", "Secret", "data.big", base64.b64encode(b"x" * 2**20).decode(), "more than the 1,048,576"),
        ("workers-code", "ConfigMap", "binaryData.big", "x" * 1_400_000, "more than the 1,048,576"),
        (
            "keda",
            "ScaledJob",
            "spec.jobTargetRef.template.spec.restartPolicy",
            GONE,
            "spec.jobTargetRef.template.spec",
        ),
        (
            "keda",
            "ScaledJob",
            "spec.jobTargetRef.template.spec.hostPID",
            True,
            "template.spec.hostPID: must not be set",
        ),
        ("workers-code", "Job", "spec.successPolicy", {}, None),
        (
            "keda",
            "ScaledJob",
            "spec.jobTargetRef.successPolicy",
            {},
            "successPolicy: needs completionMode Indexed",
        ),
        (
            "keda",
            "ScaledJob",
            "spec.jobTargetRef.podFailurePolicy.rules.0.action",
            "FailIndex",
            "FailIndex needs",
        ),
    ],
)
def test_other_broken_objects(name: str, kind: str, path: str, value: object, problem: str | None) -> None:
    problems = check([broken(name, kind, path, value)])
    if problem is None:
        assert problems == []
    else:
        assert any(problem in line for line in problems), problems


def test_a_bare_pod_is_checked_too() -> None:
    assert any(
        "hostIPC" in line
        for line in check([{"kind": "Pod", "metadata": {"name": "x"}, "spec": {"hostIPC": True}}])
    )


def test_init_containers_are_held_to_the_same() -> None:
    wanted, parts = SPECS["workers-code"]
    job = copy.deepcopy(render(wanted, parts)[-1])
    del job["spec"]["template"]["spec"]["initContainers"][0]["securityContext"]
    assert any("initContainers[requirements].securityContext" in line for line in check([job]))

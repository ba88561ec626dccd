"""The workers: one Indexed Job for a run, what may reach them, and the Job that tries the app first."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from warrener.exit_codes import Exit
from warrener.kubernetes.manifests.arguments import work_arguments
from warrener.kubernetes.manifests.code import REQUIREMENTS
from warrener.kubernetes.manifests.monitoring import PORT
from warrener.kubernetes.manifests.names import PART_OF
from warrener.kubernetes.manifests.network import DNS, brokers
from warrener.kubernetes.manifests.pods import CONTAINER, INSTALLER, metadata, pod_template

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

CHECK_SECONDS: Final = 600
DISRUPTED: Final = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def worker_job(spec: Spec) -> dict[str, Any]:
    """One slot for each worker; a slot is done when its worker found the queue drained."""
    about = metadata(spec, spec.names.workers(spec.round), "worker")
    if spec.kueue:
        about["labels"]["kueue.x-k8s.io/queue-name"] = spec.kueue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "completionMode": "Indexed",
            "completions": spec.parallelism,
            "parallelism": spec.parallelism,
            "backoffLimitPerIndex": 6,
            "maxFailedIndexes": max_failed(spec.parallelism),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(spec),
            "activeDeadlineSeconds": spec.deadline,
            "ttlSecondsAfterFinished": spec.ttl,
            "template": worker_template(spec),
        },
    }


def max_failed(parallelism: int) -> int:
    """How many slots may fail before the Job does: half of them. It has to follow when the Job is resized."""
    return (parallelism + 1) // 2


def failure_policy(spec: Spec) -> dict[str, Any]:
    """What each way to end means: an eviction and a stop are no failures, and some failures need no second try."""
    rules: list[dict[str, Any]] = [
        DISRUPTED,
        {"action": "Ignore", "onExitCodes": exit_code(CONTAINER, "In", Exit.STOPPED)},
        {"action": "FailJob", "onExitCodes": exit_code(CONTAINER, "In", Exit.UNFIT)},
    ]
    if spec.code and spec.code.requirements:
        rules.append({"action": "FailJob", "onExitCodes": exit_code(INSTALLER, "NotIn", 0)})
    return {"rules": rules}


def exit_code(container: str, operator: str, *codes: int) -> dict[str, Any]:
    """What a rule of a failure policy says of exit codes; in order, as Kubernetes wants them."""
    return {"containerName": container, "operator": operator, "values": [int(code) for code in codes]}


def worker_template(spec: Spec) -> dict[str, Any]:
    """The pod of a worker, which leaves when the queue is drained."""
    args = [*work_arguments(spec), "--drain", "--processes", str(spec.processes), "--grace", str(spec.grace)]
    args += ["--metrics-port", str(PORT)]
    if spec.max_memory:
        args += ["--max-memory", str(spec.max_memory)]
    if spec.keep_logs:
        args.append("--keep-logs")
    return pod_template(spec, "worker", args, (spec.names.secret("worker"), "url"), is_serving=True)


def check_job(spec: Spec) -> dict[str, Any]:
    """A Job that imports the app once, so that a typo fails once."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(spec, spec.names.check, "check"),
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [DISRUPTED]},
            "activeDeadlineSeconds": CHECK_SECONDS,
            "ttlSecondsAfterFinished": spec.ttl,
            "template": pod_template(
                spec, "check", [*work_arguments(spec), "--check"], (spec.names.secret("worker"), "url")
            ),
        },
    }


def code_map(spec: Spec) -> dict[str, Any] | None:
    """The ConfigMap with the app's code, or a command's files; None when the image has it."""
    code = spec.code
    if code is None:
        return None
    binary = {key: base64.b64encode(content).decode() for key, content in code.binary.items()}
    archive = {"binaryData": binary} if binary else {}
    requirements = {"data": {REQUIREMENTS: code.requirements}} if code.requirements else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(spec, spec.names.code(code.digest), "code"),
        "immutable": True,
        **requirements,
        **archive,
    }


def worker_network(spec: Spec) -> dict[str, Any]:
    """Within the cluster all may ask a worker for its numbers, and nobody anything else; whom it may call is the spec's `egress`."""
    selector = {
        "matchLabels": {**PART_OF, "app.kubernetes.io/instance": spec.names.base},
        "matchExpressions": [
            {"key": "app.kubernetes.io/component", "operator": "In", "values": ["worker", "check"]}
        ],
    }
    policy: dict[str, Any] = {
        "podSelector": selector,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": PORT}]}],
    }
    if spec.egress:
        policy["policyTypes"].append("Egress")
        policy["egress"] = [
            DNS,
            *brokers(spec),
            {"to": [{"ipBlock": {"cidr": cidr}} for cidr in spec.egress]},
        ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(spec, spec.names.standing, "worker"),
        "spec": policy,
    }

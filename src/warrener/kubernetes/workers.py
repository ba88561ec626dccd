"""The workers: one Indexed Job for a run, what may reach them, and the Job that tries the app first."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.code import ARCHIVE, REQUIREMENTS
from warrener.kubernetes.names import PART_OF
from warrener.kubernetes.network import DNS, brokers
from warrener.kubernetes.pods import CONTAINER, INSTALLER, metadata, pod_template

if TYPE_CHECKING:
    from warrener.kubernetes.plan import Plan

CHECK_SECONDS: Final = 600
DISRUPTED: Final = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}

_STOPPED: Final = 75
_UNFIT: Final = 78


def worker_job(plan: Plan) -> dict[str, Any]:
    """One slot for each worker; a slot is done when its worker found the queue drained."""
    about = metadata(plan, plan.names.workers(plan.round), "worker")
    if plan.kueue:
        about["labels"]["kueue.x-k8s.io/queue-name"] = plan.kueue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.parallelism,
            "parallelism": plan.parallelism,
            "backoffLimitPerIndex": 6,
            "maxFailedIndexes": max_failed(plan.parallelism),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(plan),
            "activeDeadlineSeconds": plan.deadline,
            "ttlSecondsAfterFinished": plan.ttl,
            "template": worker_template(plan),
        },
    }


def max_failed(parallelism: int) -> int:
    """How many slots may fail before the Job does: half of them. It has to follow when the Job is resized."""
    return (parallelism + 1) // 2


def failure_policy(plan: Plan) -> dict[str, Any]:
    """What each way to end means: an eviction and a stop are no failures, and some failures need no second try."""
    rules: list[dict[str, Any]] = [
        DISRUPTED,
        {"action": "Ignore", "onExitCodes": _exit(CONTAINER, "In", _STOPPED)},
        {"action": "FailJob", "onExitCodes": _exit(CONTAINER, "In", _UNFIT)},
    ]
    if plan.code and plan.code.requirements:
        rules.append({"action": "FailJob", "onExitCodes": _exit(INSTALLER, "NotIn", 0)})
    return {"rules": rules}


def worker_template(plan: Plan) -> dict[str, Any]:
    """The pod of a worker, which leaves when the queue is drained."""
    args = ["work", plan.app, "--drain", "--processes", str(plan.processes), "--grace", str(plan.grace)]
    return pod_template(plan, "worker", args, (plan.names.secret("worker"), "url"))


def check_job(plan: Plan) -> dict[str, Any]:
    """A Job that imports the app once, so that a typo fails once."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(plan, plan.names.check, "check"),
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [DISRUPTED]},
            "activeDeadlineSeconds": CHECK_SECONDS,
            "ttlSecondsAfterFinished": plan.ttl,
            "template": pod_template(
                plan, "check", ["work", plan.app, "--check"], (plan.names.secret("worker"), "url")
            ),
        },
    }


def code_map(plan: Plan) -> dict[str, Any] | None:
    """The ConfigMap with the app's code; None when the image has it."""
    code = plan.code
    if code is None:
        return None
    archive = {"binaryData": {ARCHIVE: base64.b64encode(code.archive).decode()}} if code.archive else {}
    requirements = {"data": {REQUIREMENTS: code.requirements}} if code.requirements else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(plan, plan.names.code(code.digest), "code"),
        "immutable": True,
        **requirements,
        **archive,
    }


def worker_network(plan: Plan) -> dict[str, Any]:
    """Nobody may call a worker; whom it may call is the plan's `egress`."""
    selector = {
        "matchLabels": {**PART_OF, "app.kubernetes.io/instance": plan.names.base},
        "matchExpressions": [
            {"key": "app.kubernetes.io/component", "operator": "In", "values": ["worker", "check"]}
        ],
    }
    spec: dict[str, Any] = {"podSelector": selector, "policyTypes": ["Ingress"]}
    if plan.egress:
        spec["policyTypes"].append("Egress")
        spec["egress"] = [DNS, *brokers(plan), {"to": [{"ipBlock": {"cidr": cidr}} for cidr in plan.egress]}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(plan, plan.names.standing, "worker"),
        "spec": spec,
    }


def _exit(container: str, operator: str, code: int) -> dict[str, Any]:
    return {"containerName": container, "operator": operator, "values": [code]}

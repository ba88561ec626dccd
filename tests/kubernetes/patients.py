"""Pods, Jobs and events as clusters write them, and what is told from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warrener.kubernetes.commands import Commands
from warrener.kubernetes.diagnosis.diagnose import diagnose
from warrener.kubernetes.diagnosis.jobs import diagnose_job
from warrener.kubernetes.diagnosis.pods import diagnose_pod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
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

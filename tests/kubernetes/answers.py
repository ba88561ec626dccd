"""What an API server answers, for tests that script one."""

from __future__ import annotations

from typing import Any

JOBS = "/apis/batch/v1/namespaces/batch/jobs"
PODS = "/api/v1/namespaces/batch/pods"


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

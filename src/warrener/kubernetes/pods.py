"""The pod that runs Warrener: as a worker, as a check of the app, or to set up the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.code import ARCHIVE, REQUIREMENTS
from warrener.kubernetes.names import QUEUE_ANNOTATION, labels
from warrener.kubernetes.patch import merged

if TYPE_CHECKING:
    from warrener.kubernetes.plan import Plan

CONTAINER: Final = "worker"
INSTALLER: Final = "requirements"
# A Secret's file is for its pod's group alone.
FILE_MODE: Final = 0o440

LOCKED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# Where a URL with TLS says that the certificates to trust are.
AUTHORITY_FILE: Final = "/etc/warrener/ca/ca.crt"

_USER: Final = 10001
# Closing connections and children takes a moment after the tasks' own grace.
_CLOSING: Final = 15


def pod_metadata(plan: Plan, component: str) -> dict[str, Any]:
    """The labels and annotations of a pod, and of what owns it."""
    return {
        "labels": labels(plan.names.base, component),
        "annotations": {QUEUE_ANNOTATION: plan.queue},
    }


def metadata(plan: Plan, name: str, component: str) -> dict[str, Any]:
    """The metadata of an object that belongs to the queue."""
    return {"name": name, "namespace": plan.namespace, **pod_metadata(plan, component)}


def pod_security(user: int) -> dict[str, Any]:
    """What Pod Security `restricted` asks of a pod; `LOCKED` is what it asks of a container."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_template(
    plan: Plan, component: str, args: list[str], url: tuple[str, str], *volumes: dict[str, Any]
) -> dict[str, Any]:
    """A pod template with the user's patch.

    Args:
        plan: What is wanted.
        component: What the pod is, for its labels.
        args: Arguments of `warrener`.
        url: The Secret and the key in it that have the broker's URL.
        volumes: Further volumes, each mounted at `/etc/warrener/` and its name.
    """
    secret, key = url
    own = [_secret("broker", secret, key, "url"), *volumes]
    if plan.code:
        own.append({"name": "code", "configMap": {"name": plan.names.code(plan.code.digest)}})
    if plan.tls_secret:
        own.append(_secret("ca", plan.tls_secret, "ca.crt", "ca.crt"))
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in a pod of its own
        *(
            {"name": volume["name"], "mountPath": f"/etc/warrener/{volume['name']}", "readOnly": True}
            for volume in own
        ),
    ]
    scratch = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    if _installs(plan):
        scratch.append({"name": "deps", "emptyDir": {}})
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": plan.grace + _CLOSING,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(_USER),
        **({"initContainers": [_installer(plan)]} if _installs(plan) else {}),
        "containers": [
            {
                "name": CONTAINER,
                "image": plan.image,
                "command": ["python", "-m", "warrener"],
                "args": args,
                "env": _environment(plan),
                "resources": _resources(plan),
                "securityContext": LOCKED,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [
                    *mounts,
                    *([{"name": "deps", "mountPath": "/deps", "readOnly": True}] if _installs(plan) else []),
                ],
            }
        ],
        "volumes": [*scratch, *own],
    }
    return merged({"metadata": pod_metadata(plan, component), "spec": spec}, plan.patch or {})


def _installs(plan: Plan) -> bool:
    return bool(plan.code and plan.code.requirements)


def _secret(name: str, secret: str, key: str, path: str) -> dict[str, Any]:
    items = [{"key": key, "path": path}]
    return {"name": name, "secret": {"secretName": secret, "defaultMode": FILE_MODE, "items": items}}


def _environment(plan: Plan) -> list[dict[str, str]]:
    paths = []
    if plan.code and plan.code.archive:
        paths.append(f"/etc/warrener/code/{ARCHIVE}")
    if _installs(plan):
        paths.append("/deps")
    variables = {
        "WARRENER_QUEUE": plan.queue,
        "WARRENER_BROKER": "file:/etc/warrener/broker/url",
        "HOME": "/tmp",  # noqa: S108 - likewise
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **({"PYTHONPATH": ":".join(paths)} if paths else {}),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]


def _resources(plan: Plan) -> dict[str, Any]:
    return {
        "requests": {"cpu": plan.cpu, "memory": plan.memory},
        # Scratch space is bounded by its volume: nodes that do not count their disks would take no pod that asks for it.
        "limits": {"memory": plan.memory},
    }


def _installer(plan: Plan) -> dict[str, Any]:
    pip = ["python", "-m", "pip", "install", "--no-cache-dir", "--target", "/deps"]
    return {
        "name": INSTALLER,
        "image": plan.image,
        "command": [*pip, "-r", f"/etc/warrener/code/{REQUIREMENTS}"],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - likewise
        "resources": _resources(plan),
        "securityContext": LOCKED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - likewise
            {"name": "deps", "mountPath": "/deps"},
            {"name": "code", "mountPath": "/etc/warrener/code", "readOnly": True},
        ],
    }

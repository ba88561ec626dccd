"""The pod that runs Warrener: as a worker, as a check of the app, or to set up the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.code import ARCHIVE, COMMAND, REQUIREMENTS
from warrener.kubernetes.manifests.monitoring import serving
from warrener.kubernetes.manifests.names import QUEUE_ANNOTATION, labels
from warrener.kubernetes.manifests.patch import merged

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

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

_SCRATCH: Final = "/tmp"  # noqa: S108 - in a pod of its own
_USER: Final = 10001
# Closing connections and children takes a moment after the tasks' own grace.
_CLOSING: Final = 15


def pod_metadata(spec: Spec, component: str) -> dict[str, Any]:
    """The labels and annotations of a pod, and of what owns it."""
    return {
        "labels": labels(spec.names.base, component),
        "annotations": {QUEUE_ANNOTATION: spec.queue},
    }


def metadata(spec: Spec, name: str, component: str) -> dict[str, Any]:
    """The metadata of an object that belongs to the queue."""
    return {"name": name, "namespace": spec.namespace, **pod_metadata(spec, component)}


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
    spec: Spec,
    component: str,
    args: list[str],
    url: tuple[str, str],
    *volumes: dict[str, Any],
    is_serving: bool = False,
) -> dict[str, Any]:
    """A pod template with the user's patch.

    Args:
        spec: What is wanted.
        component: What the pod is, for its labels.
        args: Arguments of `warrener`.
        url: The Secret and the key in it that have the broker's URL.
        volumes: Further volumes, each mounted at `/etc/warrener/` and its name.
        is_serving: Whether it serves metrics and probes.
    """
    secret, key = url
    own = [_secret("broker", secret, key, "url"), *volumes]
    if spec.code:
        items = {"items": spec.code.items} if spec.code.items else {}
        own.append({"name": "code", "configMap": {"name": spec.names.code(spec.code.digest), **items}})
    if spec.tls_secret:
        own.append(_secret("ca", spec.tls_secret, "ca.crt", "ca.crt"))
    mounts = [
        {"name": "tmp", "mountPath": _SCRATCH},
        *(
            {"name": volume["name"], "mountPath": f"/etc/warrener/{volume['name']}", "readOnly": True}
            for volume in own
        ),
    ]
    scratch = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    if _installs(spec):
        scratch.append({"name": "deps", "emptyDir": {}})
    container = {
        "name": CONTAINER,
        "image": spec.image,
        "command": ["python", "-m", "warrener"],
        "args": args,
        **({"workingDir": f"/etc/warrener/code/{COMMAND}"} if spec.code and spec.code.files else {}),
        "env": _environment(spec),
        "resources": _resources(spec),
        "securityContext": LOCKED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *mounts,
            *([{"name": "deps", "mountPath": "/deps", "readOnly": True}] if _installs(spec) else []),
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": spec.grace + _CLOSING,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(_USER),
        **({"initContainers": [_installer(spec)]} if _installs(spec) else {}),
        "containers": [serving(container) if is_serving else container],
        "volumes": [*scratch, *own],
    }
    return merged({"metadata": pod_metadata(spec, component), "spec": pod}, spec.patch or {})


def _installs(spec: Spec) -> bool:
    return bool(spec.code and spec.code.requirements)


def _secret(name: str, secret: str, key: str, path: str) -> dict[str, Any]:
    items = [{"key": key, "path": path}]
    return {"name": name, "secret": {"secretName": secret, "defaultMode": FILE_MODE, "items": items}}


def _environment(spec: Spec) -> list[dict[str, str]]:
    paths = []
    if spec.code and spec.code.archive:
        paths.append(f"/etc/warrener/code/{ARCHIVE}")
    if _installs(spec):
        paths.append("/deps")
    variables = {
        "WARRENER_QUEUE": spec.queue,
        "WARRENER_BROKER": "file:/etc/warrener/broker/url",
        "HOME": _SCRATCH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **({"PYTHONPATH": ":".join(paths)} if paths else {}),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]


def _resources(spec: Spec) -> dict[str, Any]:
    return {
        "requests": {"cpu": spec.cpu, "memory": spec.memory},
        # Scratch space is bounded by its volume: nodes that do not count their disks would take no pod that asks for it.
        "limits": {"memory": spec.memory},
    }


def _installer(spec: Spec) -> dict[str, Any]:
    pip = ["python", "-m", "pip", "install", "--no-cache-dir", "--target", "/deps"]
    return {
        "name": INSTALLER,
        "image": spec.image,
        "command": [*pip, "-r", f"/etc/warrener/code/{REQUIREMENTS}"],
        "env": [{"name": "HOME", "value": _SCRATCH}],
        "resources": _resources(spec),
        "securityContext": LOCKED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": _SCRATCH},
            {"name": "deps", "mountPath": "/deps"},
            {"name": "code", "mountPath": "/etc/warrener/code", "readOnly": True},
        ],
    }

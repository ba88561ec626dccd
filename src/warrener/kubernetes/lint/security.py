"""The rules of Pod Security's level `restricted`, which many namespaces enforce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.lint.problem import Problem, containers, mapping, maps

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_PROFILES: Final = ("RuntimeDefault", "Localhost")


def restricted(spec: dict[str, Any]) -> Iterator[Problem]:
    """What the level forbids in a pod."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield Problem(key, "must not be set")
    for volume in maps(spec.get("volumes")):
        for kind in sorted(set(volume) - {"name"} - _VOLUMES):
            yield Problem(f"volumes[{volume.get('name')}]", f"a volume of type {kind} is forbidden")
    pod = mapping(spec.get("securityContext"))
    if pod.get("runAsUser") == 0:
        yield Problem("securityContext.runAsUser", "must not be 0")
    for path, container in containers(spec):
        for place, text in _container(container, pod):
            yield Problem(f"{path}.{place}", text)


def _container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    own = mapping(container.get("securityContext"))
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield "securityContext.runAsNonRoot", "must be true, here or for the whole pod"
    if own.get("runAsUser") == 0:
        yield "securityContext.runAsUser", "must not be 0"
    if own.get("privileged"):
        yield "securityContext.privileged", "must not be set"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation", "must be false"
    if mapping(both.get("seccompProfile")).get("type") not in _PROFILES:
        yield "securityContext.seccompProfile", f"must be {' or '.join(_PROFILES)}, here or for the whole pod"
    capabilities = mapping(own.get("capabilities"))
    if "ALL" not in (capabilities.get("drop") or []):
        yield "securityContext.capabilities.drop", "must contain ALL"
    if not set(capabilities.get("add") or []) <= {"NET_BIND_SERVICE"}:
        yield "securityContext.capabilities.add", "may contain NET_BIND_SERVICE alone"
    if any(port.get("hostPort") for port in maps(container.get("ports"))):
        yield "ports", "must not have a hostPort"

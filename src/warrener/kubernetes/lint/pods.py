"""Rules for the spec of a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.lint.problem import Problem, containers, mapping, maps
from warrener.kubernetes.quantities import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")
_TIMINGS: Final = ("periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")


def unique(spec: dict[str, Any]) -> Iterator[Problem]:
    """Containers, volumes and mounts are told apart by their names and paths."""
    yield from _twice("containers", [container.get("name") for _, container in containers(spec)])
    yield from _twice("volumes", [volume.get("name") for volume in maps(spec.get("volumes"))])
    for path, container in containers(spec):
        mounted = [mount.get("mountPath") for mount in maps(container.get("volumeMounts"))]
        yield from _twice(f"{path}.volumeMounts", mounted)


def _twice(path: str, names: list[Any]) -> Iterator[Problem]:
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield Problem(path, f"{name} is there more than once")


def mounts(spec: dict[str, Any]) -> Iterator[Problem]:
    """What is mounted must be a volume of the pod."""
    volumes = {volume.get("name") for volume in maps(spec.get("volumes"))}
    for path, container in containers(spec):
        for mount in maps(container.get("volumeMounts")):
            if mount.get("name") not in volumes:
                yield Problem(f"{path}.volumeMounts", f"there is no volume {mount.get('name')!r}")


def resources(spec: dict[str, Any]) -> Iterator[Problem]:
    """Quantities must read as such, and a request must not be above its limit."""
    for path, container in containers(spec):
        amounts = mapping(container.get("resources"))
        for kind in ("requests", "limits"):
            for name, amount in mapping(amounts.get(kind)).items():
                if quantity(amount) is None:
                    yield Problem(f"{path}.resources.{kind}.{name}", f"{amount!r} is not a quantity")
        requests, limits = mapping(amounts.get("requests")), mapping(amounts.get("limits"))
        for name in requests.keys() & limits.keys():
            wanted, most = quantity(requests[name]), quantity(limits[name])
            if wanted is not None and most is not None and wanted > most:
                yield Problem(f"{path}.resources.requests.{name}", f"is more than its limit, {limits[name]}")


def probes(spec: dict[str, Any]) -> Iterator[Problem]:
    """Times and counts of probes."""
    for path, container in containers(spec):
        for name in _PROBES:
            probe = mapping(container.get(name))
            for key in _TIMINGS:
                if not isinstance(probe.get(key, 1), int) or probe.get(key, 1) < 1:
                    yield Problem(f"{path}.{name}.{key}", "must be at least 1")
            if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
                yield Problem(f"{path}.{name}.successThreshold", "must be 1")

"""Plain objects of Kubernetes, and how to look into them."""

from __future__ import annotations

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Object]


def conditions(obj: Object) -> Objects:
    """What an object's status says of it."""
    return obj.get("status", {}).get("conditions") or []


def is_ready(pod: Object) -> bool:
    """Whether a pod takes connections."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions(pod))

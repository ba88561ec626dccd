"""What a rule finds, and how rules look into objects that may be of any shape."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DNS_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class Problem(NamedTuple):
    """What is wrong, and where in the object."""

    path: str
    text: str


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def maps(value: Any) -> list[dict[str, Any]]:
    """The mappings in a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def containers(spec: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All containers of a pod with their paths below its spec."""
    return [
        (f"{kind}[{container.get('name')}]", container)
        for kind in ("initContainers", "containers")
        for container in maps(spec.get(kind))
    ]

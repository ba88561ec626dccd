"""A double of a cluster that remembers which rights were used, and what a Role allows, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.documents import Document
from tests.kubernetes.double import Double
from warrener.kubernetes.client.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from warrener.kubernetes.client.endpoint import Endpoint
    from warrener.kubernetes.objects import Object, Objects

GUIDE: Final = Document("docs/kubernetes.md")
Right = tuple[str, str, str]
"""API group, resource, verb."""


def allowed(role: Mapping[str, Any]) -> set[Right]:
    """What a Role allows."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def documented() -> set[Right]:
    """What the guide's Role for `warrener k8s` allows."""
    blocks = (found for block in GUIDE.blocks("yaml") for found in yaml.safe_load_all(block))
    (role,) = (found for found in blocks if found.get("metadata", {}).get("name") == "warrener")
    return allowed(role)


class Entitled(Double):
    """As its base.

    Attributes:
        used: Every right that was used.
    """

    def __init__(self, websockets: str = "ws://127.0.0.1:1") -> None:
        super().__init__(websockets)
        self.used: set[Right] = set()

    def _use(self, kind: str, *verbs: str) -> None:
        group, _, plural = KINDS[kind]
        self.used |= {(group, plural, verb) for verb in verbs}

    async def apply(self, obj: Object) -> Object:
        self._use(obj["kind"], "patch", "create")  # the second where it is not there yet
        return await super().apply(obj)

    async def create(self, obj: Object) -> Object:
        self._use(obj["kind"], "create")
        return await super().create(obj)

    async def get(self, kind: str, name: str) -> Object | None:
        self._use(kind, "get")
        return await super().get(kind, name)

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        self._use(kind, "list")
        return await super().list(kind, labels)

    async def patch(self, kind: str, name: str, changes: Object) -> Object:
        self._use(kind, "patch")
        return await super().patch(kind, name, changes)

    async def delete(self, kind: str, name: str) -> None:
        self._use(kind, "delete")
        await super().delete(kind, name)

    async def logs(
        self, pod: str, container: str | None = None, *, follow: bool = False
    ) -> AsyncGenerator[str, None]:
        self.used.add(("", "pods/log", "get"))
        async for line in super().logs(pod, container, follow=follow):
            yield line

    async def events(self, kind: str, name: str | None = None, *, reason: str | None = None) -> Objects:
        self._use("Event", "list")
        return await super().events(kind, name, reason=reason)

    async def endpoint(self, path: str) -> Endpoint:
        self.used |= {("", "pods/portforward", "get"), ("", "pods/portforward", "create")}
        return await super().endpoint(path)

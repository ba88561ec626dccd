"""A watch that outlives its connections: what is there, and from then on every change."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from warrener.errors import ClusterUnreachable, ObjectMissing
from warrener.kubernetes.client import kinds
from warrener.kubernetes.client.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from warrener.kubernetes.client.requests import Requests
    from warrener.kubernetes.objects import Object, Objects

# A watch that has been silent for so long may be dead without our knowing: a list shows what it missed.
QUIET_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 300.0

_Type: TypeAlias = Literal["added", "modified", "deleted"]
_TYPES: Final[dict[str, _Type]] = {"ADDED": "added", "MODIFIED": "modified", "DELETED": "deleted"}


class Change(msgspec.Struct, frozen=True):
    """One thing that a watch saw.

    Args:
        type: What happened to the object.
        object: The object after it; for `deleted`, the last that was known of it.
    """

    type: _Type
    object: dict[str, Any]


class _Event(msgspec.Struct):
    """A line of a watch, as the API server writes it."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "ERROR"]
    object: dict[str, Any]


async def watch(
    requests: Requests, kind: str, labels: Mapping[str, str] | None
) -> AsyncGenerator[Change, None]:
    """What is there, each as `added`, and from then on every change; see `Cluster.watch`."""
    known: dict[str, Object] = {}
    answered_at: float | None = None
    loop = asyncio.get_running_loop()
    while True:
        try:
            present, version = await requests.list(kind, labels)
            answered_at = loop.time()
            for change in _differences(known, present):
                yield change
            async with aclosing(_follow(requests, kind, labels, version)) as changes:
                async for change in changes:
                    answered_at = loop.time()
                    if _note(known, change):
                        yield change
        except ClusterUnreachable:
            if answered_at is None or loop.time() - answered_at > PATIENCE_SECONDS:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def _follow(
    requests: Requests, kind: str, labels: Mapping[str, str] | None, version: str
) -> AsyncGenerator[Change, None]:
    """The changes since a version, until the connection ends or all has been quiet for a while."""
    wanted = {"watch": "true", "resourceVersion": version} | _selector(labels)
    deed = f"watch {kinds.plural(kind)}"
    async with aclosing(requests.lines(kinds.path(kind, requests.namespace), wanted)) as lines:
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    with requests.translated(deed):
                        event = msgspec.json.decode(await anext(lines), type=_Event)
                if event.type == "ERROR":
                    raise refusal(event.object.get("code", 500), event.object, deed, requests.server)
            # ObjectMissing: the cluster has forgotten this version.
            except (TimeoutError, StopAsyncIteration, ObjectMissing):
                return
            yield Change(_TYPES[event.type], event.object)


def _selector(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else {}


def _differences(known: dict[str, Object], present: Objects) -> list[Change]:
    """What a new list tells beyond what is known, which it becomes."""
    names = {obj["metadata"]["name"] for obj in present}
    gone = [Change("deleted", known.pop(name)) for name in known.keys() - names]
    changes = [Change("modified" if obj["metadata"]["name"] in known else "added", obj) for obj in present]
    return gone + [change for change in changes if _note(known, change)]


def _note(known: dict[str, Object], change: Change) -> bool:
    """Keep a change in mind; say whether it is new."""
    name = change.object["metadata"]["name"]
    if change.type == "deleted":
        return known.pop(name, None) is not None
    before = known.get(name)
    known[name] = change.object
    return before is None or _version(before) != _version(change.object)


def _version(obj: Object) -> object:
    return obj["metadata"].get("resourceVersion")

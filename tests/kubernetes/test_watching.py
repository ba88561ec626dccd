"""A watch, over real HTTP before a scripted API server: what breaks it, and what it makes up for."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from kmock import RawHandler

from warrener.errors import (
    ClusterRefused,
    ClusterUnreachable,
)
from warrener.kubernetes.client import watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.client.watching import Change
from tests.kubernetes.answers import PODS, pod, pod_list, status

# Not its emulator of a cluster: what the API server answers is for each test to say.
pytestmark = pytest.mark.kmock(cls=RawHandler)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0.01)


async def seen(cluster: Cluster, count: int) -> list[tuple[str, str, str]]:
    """The first changes of a watch: type, name, phase."""
    changes: list[Change] = []
    async with asyncio.timeout(10), aclosing(cluster.watch("Pod")) as watch:
        async for change in watch:
            changes.append(change)
            if len(changes) == count:
                break
    return [(c.type, c.object["metadata"]["name"], c.object["status"]["phase"]) for c in changes]


async def test_watch_begins_with_what_is_there(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["list", PODS] << pod_list("7", pod("a", "5"))
    running = {"type": "MODIFIED", "object": pod("a", "8", "Running")}
    gone = {"type": "DELETED", "object": pod("a", "9", "Running")}
    kmock["watch", PODS] << (running, gone, ...)

    assert await seen(cluster, 3) == [
        ("added", "a", "Pending"),
        ("modified", "a", "Running"),
        ("deleted", "a", "Running"),
    ]
    assert next(iter(kmock["watch"])).params["resourceVersion"] == "7"


@pytest.mark.parametrize("within_the_stream", [False, True])
async def test_watch_survives_lost_history(
    kmock: RawHandler, cluster: Cluster, *, within_the_stream: bool
) -> None:
    expired = status(410, "Expired", "too old resource version: 7 (9)")
    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"), pod("b", "6"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"), pod("c", "9"))
    if within_the_stream:
        kmock["watch", PODS] << iter([{"type": "ERROR", "object": expired}])
    else:
        kmock["watch", PODS, {"resourceVersion": "7"}] << 410 << expired
    kmock["watch", PODS] << ({"type": "MODIFIED", "object": pod("c", "10", "Running")}, ...)

    assert await seen(cluster, 6) == [
        ("added", "a", "Pending"),
        ("added", "b", "Pending"),
        ("deleted", "b", "Pending"),
        ("modified", "a", "Running"),
        ("added", "c", "Pending"),
        ("modified", "c", "Running"),
    ]


async def test_watch_survives_lost_connections(kmock: RawHandler, cluster: Cluster) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b'{"type": "MODIFIED", "object": {"metada'
        raise ConnectionError

    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"))
    kmock["watch", PODS, {"resourceVersion": "7"}] << breaks_off()
    kmock["watch", PODS] << ({"type": "DELETED", "object": pod("a", "10", "Failed")}, ...)

    assert await seen(cluster, 3) == [
        ("added", "a", "Pending"),
        ("modified", "a", "Running"),
        ("deleted", "a", "Failed"),
    ]


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\u2029", "\x1c"])
async def test_watch_of_objects_with_any_character(
    kmock: RawHandler, cluster: Cluster, character: str
) -> None:
    changed = pod("a", "8", "Running")
    changed["metadata"]["annotations"] = {"note": f"one{character}two"}
    event = json.dumps({"type": "MODIFIED", "object": changed}, ensure_ascii=False)
    kmock["list", PODS] << pod_list("7", pod("a", "5"))
    kmock["watch", PODS] << (event.encode() + b"\n", ...)

    assert await seen(cluster, 2) == [("added", "a", "Pending"), ("modified", "a", "Running")]
    assert len(list(kmock["list"])) == 1  # none was made up for by listing again


async def test_watch_of_something_else_is_no_watch(
    kmock: RawHandler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", -1)
    kmock["list", PODS] << pod_list("7")
    kmock["watch", PODS] << (b"[1]\n", ...)

    with pytest.raises(ClusterUnreachable, match="does not answer as the Kubernetes API does"):
        await anext(cluster.watch("Pod"))


async def test_watch_looks_again_when_all_is_quiet(
    kmock: RawHandler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.05)
    kmock["list", PODS] << iter([pod_list("7", pod("a", "5"))])
    kmock["list", PODS] << pod_list("9", pod("a", "8", "Running"))
    kmock["watch", PODS] << (b"", ...)

    assert await seen(cluster, 2) == [("added", "a", "Pending"), ("modified", "a", "Running")]


async def test_watch_of_what_is_forbidden_ends(kmock: RawHandler, cluster: Cluster) -> None:
    kmock["list", PODS] << pod_list("7")
    kmock["watch", PODS] << 403 << status(403, "Forbidden", "no watching")

    with pytest.raises(ClusterRefused, match=r"^cannot watch pods: no watching$"):
        await anext(cluster.watch("Pod"))

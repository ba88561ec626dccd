"""Objects of other controllers, which Warrener itself has nothing to do with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster


def version_of(place: Place, group: str, name: str) -> str:
    """The API version that the cluster prefers of a group; the test is skipped where the cluster does not know it."""

    async def ask(cluster: Cluster) -> dict[str, Any] | None:
        answer = await cluster._requests.http.get(f"/apis/{group}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    found = place.ask(ask)
    if found is None:
        pytest.skip(f"{name} is not installed on this cluster: install it, and this is tested with it")
    return str(found["preferredVersion"]["groupVersion"])


def make(place: Place, path: str, manifest: dict[str, Any]) -> None:
    """Create an object at a path of the API."""

    async def create(cluster: Cluster) -> None:
        answer = await cluster._requests.http.post(path, json=manifest)
        assert answer.status_code == 201, answer.text

    place.ask(create)


def remove(place: Place, path: str) -> None:
    """Delete an object, where it is there."""

    async def delete(cluster: Cluster) -> None:
        answer = await cluster._requests.http.delete(path)
        assert answer.status_code in (200, 202, 404), answer.text

    place.ask(delete)

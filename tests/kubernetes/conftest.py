"""A cluster's interface before an API server that the test scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from warrener.kubernetes.client.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kmock import RawHandler

TOKEN = "secret-token"


def write_kubeconfig(path: Path, server: str, **user: object) -> str:
    """A kubeconfig with one context, `test`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me", "namespace": "batch"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.fixture
async def cluster(kmock: RawHandler, tmp_path: Path) -> AsyncIterator[Cluster]:
    kubeconfig = write_kubeconfig(tmp_path / "config", str(kmock.url), token=TOKEN)
    async with Cluster.open(kubeconfig=kubeconfig) as opened:
        yield opened

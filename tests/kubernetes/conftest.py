"""A cluster's interface before an API server that the test scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.brokers import OURS, POD, VHOST, admin, broker_pod, keep_secret, port_of
from tests.kubernetes.rights import Entitled
from tests.operator import Operator
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.operations import broker_start, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from typing import Any

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


@pytest.fixture(scope="session")
def server(rabbitmq: tuple[str, str]) -> Iterator[Operator]:
    """The RabbitMQ that all tests share, with a virtual host for these."""
    operator = Operator(*rabbitmq)
    operator.put("vhosts", VHOST)
    yield operator
    for kind in ("users", "queues", "exchanges"):
        for found in operator.get(kind, *([VHOST] if kind != "users" else [])):
            if found["name"].startswith(OURS):
                operator.delete(kind, *([VHOST] if kind != "users" else []), found["name"])


@pytest.fixture
async def broker_cluster(server: Operator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Entitled]:
    """A cluster whose broker's pod is the real RabbitMQ; its administrator is known already."""
    monkeypatch.setattr(broker_start, "_SETTLING", 0.05)
    monkeypatch.setattr(broker_start, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(install, "_LOOK_EVERY", 0.02)
    async with ApiServer() as api:
        api.pods = {POD: 1}
        api.ports = {5672: port_of(server.url.geturl()), 15672: port_of(server.management_url)}
        double = Entitled(f"ws{api.url.removeprefix('http')}")
        keep_secret(double, f"{BROKER}-admin", **admin(server))

        def start(made: dict[str, Any]) -> None:
            if made["kind"] == "StatefulSet":
                broker_pod(double)

        double.on_create = start
        yield double

"""The brokers that batches are broken on."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.chaos.fault import CLUSTER, EMBEDDED, RABBITMQ
from tests.chaos.nodes import Cluster
from tests.chaos.proxy import Proxy
from tests.chaos.trial import Arena
from tests.rabbitmq_server import RabbitMQ
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# A consumer that acknowledges nothing for so many milliseconds is cancelled.
_CONFIG = "consumer_timeout = 5000"
# Whoever is silent for twice as many seconds is taken for dead.
HEARTBEAT = 5


@asynccontextmanager
async def embedded() -> AsyncIterator[Arena]:
    """A file for each batch."""

    def new_address(directory: Path) -> Address:
        return Address(f"sqlite:{directory / 'queue.db'}", "chaos")

    yield Arena(EMBEDDED, new_address)


@asynccontextmanager
async def single() -> AsyncIterator[Arena]:
    """A node of our own."""
    server = node()
    await asyncio.to_thread(server.__enter__)
    try:
        async with ours(server) as arena:
            yield arena
    finally:
        await asyncio.to_thread(server.__exit__)


def node() -> RabbitMQ:
    """One that is not started yet."""
    return RabbitMQ(extra_config=_CONFIG)


@asynccontextmanager
async def ours(server: RabbitMQ) -> AsyncIterator[Arena]:
    """A node that runs already."""
    async with theirs(Address(server.url, management=server.management_url)) as arena:
        arena.server = server
        yield arena


@asynccontextmanager
async def three_nodes() -> AsyncIterator[Arena]:
    """A cluster of our own."""
    cluster = Cluster(3)
    await asyncio.to_thread(cluster.__enter__)
    try:
        urls = [urlsplit(node.url) for node in cluster.nodes]
        pages = [urlsplit(node.management_url) for node in cluster.nodes]
        async with Proxy([(url.hostname or "", url.port or 0) for url in pages]) as management:
            broker = Address(cluster.nodes[0].url, management=f"http://127.0.0.1:{management.port}")
            async with theirs(broker) as arena:
                arena.name, arena.cluster = CLUSTER, cluster
                assert arena.proxy
                arena.proxy.lead_to([(url.hostname or "", url.port or 0) for url in urls])
                yield arena
    finally:
        await asyncio.to_thread(cluster.__exit__)


@asynccontextmanager
async def theirs(address: Address) -> AsyncIterator[Arena]:
    """A RabbitMQ that we have no power over, behind a proxy; a queue for each batch."""
    url = urlsplit(address.broker)
    async with Proxy([(url.hostname or "", url.port or 5672)]) as proxy:
        credentials = url.netloc.rpartition("@")[0]
        broker = f"{url.scheme}://{credentials}@127.0.0.1:{proxy.port}{url.path}?heartbeat={HEARTBEAT}"

        def new_address(_: Path) -> Address:
            return Address(broker, f"chaos-{uuid.uuid4().hex[:8]}", address.management_url)

        yield Arena(RABBITMQ, new_address, proxy=proxy)

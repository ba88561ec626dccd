"""What `warrener k8s status` says of a queue and its workers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from click.testing import CliRunner

from tests.batch import publish, task
from tests.kubernetes.double import Double
from tests.kubernetes.specs import small_spec
from warrener.brokers import connect
from warrener.cli.k8s.status import status
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import reach, worker_job
from warrener.orders import Cancelled, give

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from warrener.address import Address


def test_who_watches_a_cancelled_queue_hears_by_whom_and_what_takes_it_back(
    monkeypatch: pytest.MonkeyPatch, sqlite_address: Address
) -> None:
    cluster = Double()

    async def prepare() -> None:
        job = await worker_job.start(cluster, small_spec())
        cluster.end(job, "Complete")  # its workers found nothing that they may take
        await publish(sqlite_address, [task("echo", "a"), task("echo", "b")])
        async with connect(sqlite_address) as broker:
            await give(broker, Cancelled("ann@desk", 1.0))

    asyncio.run(prepare())
    let_reach(monkeypatch, cluster, sqlite_address)

    done = CliRunner().invoke(status, ["--watch", "--queue", "images", "--namespace", "batch"])

    assert done.exit_code == 1
    assert "cancelled by ann@desk at " in done.output
    assert "`warrener resume --broker k8s:batch --queue images` takes that back" in done.output


def test_who_looks_at_a_queue_of_kedas_without_workers_hears_who_starts_them(
    monkeypatch: pytest.MonkeyPatch, sqlite_address: Address
) -> None:
    cluster = Double()
    cluster.lacks.clear()

    async def prepare() -> None:
        for manifest in render(small_spec(autoscale="keda"), ["workers"]):
            await cluster.apply(manifest)
        await publish(sqlite_address, [])

    asyncio.run(prepare())
    let_reach(monkeypatch, cluster, sqlite_address)

    done = CliRunner().invoke(status, ["--queue", "images", "--namespace", "batch"])

    assert done.exit_code == 0, done.output
    assert "none: KEDA starts them when tasks come" in done.output


def let_reach(monkeypatch: pytest.MonkeyPatch, cluster: Double, address: Address) -> None:
    """Have commands find this cluster, and a queue of it here."""

    @asynccontextmanager
    async def queue_of(*_: object) -> AsyncIterator[Address]:
        yield address

    monkeypatch.setattr(Cluster, "open", lambda **_: cluster)
    monkeypatch.setattr(reach, "queue_of", queue_of)

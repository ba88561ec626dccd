"""What RabbitMQ promises of three nodes, and our queues depend on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import DELAYS, drain, eventually, results, task
from tests.chaos.nodes import Cluster
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq.amqp import channel as channels
from warrener.errors import BrokerError
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

ALL = [0, 1, 2]
TICKTIME = 4


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(3, ticktime=TICKTIME) as cluster:
        yield cluster


@pytest.fixture
def queue() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def address(cluster: Cluster, index: int, queue: str) -> Address:
    return Address(cluster.nodes[index].url, queue, cluster.nodes[index].management_url)


async def declare(cluster: Cluster, queue: str) -> None:
    async with connect(address(cluster, 0, queue)) as broker:
        await broker.declare(DELAYS)


async def publish(cluster: Cluster, index: int, queue: str, *ids: str) -> None:
    """Publish over one node, until it is confirmed."""
    async with connect(address(cluster, index, queue)) as broker:
        session = broker.publish_session()
        await session.publish([task("echo", id_) for id_ in ids])
        await session.flush()
        assert session.confirmed == len(ids)


async def ready(cluster: Cluster, index: int, queue: str) -> int | None:
    """How many tasks are ready, as one node tells; None if it does not."""
    with suppress(BrokerError, TimeoutError):
        async with asyncio.timeout(5), connect(address(cluster, index, queue)) as broker:
            return (await broker.counts()).ready
    return None


async def tells(cluster: Cluster, index: int, queue: str, count: int) -> None:
    """Wait until a node tells that so many tasks are ready."""

    async def is_told() -> bool:
        return await ready(cluster, index, queue) == count

    await eventually(is_told)


async def all_tell(cluster: Cluster, queue: str, count: int) -> None:
    for index in ALL:
        await tells(cluster, index, queue, count)


async def run(cluster: Cluster, seen_by: int, expected: list[int]) -> None:
    """Wait until a node holds these for running."""

    async def are_seen() -> bool:
        with suppress(OSError, LookupError):
            return cluster.running(seen_by=seen_by) == expected
        return False

    await eventually(are_seen)


async def leads_elsewhere(cluster: Cluster, queue: str, *, than: int, seen_by: int) -> None:
    async def leads() -> bool:
        with suppress(OSError, LookupError):
            return cluster.leader(queue, seen_by=seen_by) != than
        return False

    await eventually(leads)


async def test_every_part_of_a_queue_has_a_member_on_each_node(cluster: Cluster, queue: str) -> None:
    await declare(cluster, queue)

    found: list[dict[str, Any]] = [
        part for part in cluster.ask("queues/%2F") if part["name"].partition(".")[0] == queue
    ]
    assert {part["name"]: part["type"] for part in found} == {
        queue: "quorum",
        f"{queue}.failed": "quorum",
        f"{queue}.results": "stream",
        **{f"{queue}.delay.{delay}": "quorum" for delay in DELAYS},
    }
    names = sorted(node.name for node in cluster.nodes)
    assert [part["name"] for part in found if sorted(part["members"]) != names] == []


async def test_a_confirmed_task_survives_the_death_of_its_leader(cluster: Cluster, queue: str) -> None:
    await declare(cluster, queue)
    leader = cluster.leader(queue)
    other = (leader + 1) % len(ALL)
    await publish(cluster, leader, queue, "before")
    cluster.nodes[leader].kill()
    try:
        await publish(cluster, other, queue, "after")
        await leads_elsewhere(cluster, queue, than=leader, seen_by=other)
        await tells(cluster, other, queue, 2)
    finally:
        cluster.nodes[leader].start()

    await all_tell(cluster, queue, 2)


async def test_the_majority_goes_on_without_a_leader_it_cannot_hear_and_the_leader_comes_back(
    cluster: Cluster, queue: str
) -> None:
    await declare(cluster, queue)
    leader = cluster.leader(queue)
    other = (leader + 1) % len(ALL)
    await publish(cluster, leader, queue, "before")
    cluster.partition(leader)
    try:
        await run(cluster, leader, [leader])
        await run(cluster, other, [index for index in ALL if index != leader])
        await leads_elsewhere(cluster, queue, than=leader, seen_by=other)
        await publish(cluster, other, queue, "after")
    finally:
        cluster.heal()

    await run(cluster, leader, ALL)
    await run(cluster, other, ALL)
    await all_tell(cluster, queue, 2)


@pytest.mark.parametrize("distance", [0, 1], ids=["at the leader", "elsewhere"])
async def test_no_result_is_lost_when_the_leader_is_cut_off(
    cluster: Cluster, queue: str, distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the leader, confirms are forgotten. Elsewhere some are false if nodes meet again before a new leader is there."""
    monkeypatch.setattr(channels, "ANSWER_TIMEOUT", TICKTIME / 4)
    ids = {f"t{number}" for number in range(400)}
    await declare(cluster, queue)
    leader = cluster.leader(queue)
    place, other = (leader + distance) % len(ALL), (leader + 1) % len(ALL)
    await publish(cluster, leader, queue, *ids)
    working = asyncio.create_task(drain(address(cluster, place, queue), is_patient=True))

    async def is_working() -> bool:
        async with connect(address(cluster, other, queue)) as broker:
            return (await broker.counts()).completed > 0

    await eventually(is_working)
    cluster.partition(leader)
    try:
        await run(cluster, other, [index for index in ALL if index != leader])
        if place == leader:
            await leads_elsewhere(cluster, queue, than=leader, seen_by=other)
            await leads_elsewhere(cluster, f"{queue}.results", than=leader, seen_by=other)
    finally:
        cluster.heal()

    assert await working is Exit.DRAINED

    async def are_all_there() -> bool:  # the node's replica may be behind
        return {row["task_id"] for row in await results(address(cluster, other, queue))} == ids

    await eventually(are_all_there)


async def test_a_worker_that_is_cut_off_does_not_take_its_queue_for_drained(
    cluster: Cluster, queue: str
) -> None:
    await declare(cluster, queue)
    lone = (cluster.leader(queue) + 1) % len(ALL)
    async with connect(address(cluster, lone, queue)) as broker:
        await broker.delays(DELAYS)
        await publish(cluster, lone, queue, "waiting")
        assert not await broker.drained()
        cluster.partition(lone)
        try:
            await run(cluster, lone, [lone])
            assert not await broker.drained()
        finally:
            cluster.heal()

    await all_tell(cluster, queue, 1)


@pytest.mark.parametrize("end", [Cluster.stop, Cluster.kill])
async def test_all_nodes_come_back_with_what_was_confirmed(cluster: Cluster, queue: str, end: Any) -> None:
    await declare(cluster, queue)
    await publish(cluster, 0, queue, "before")
    end(cluster)
    cluster.start()

    await all_tell(cluster, queue, 1)


def test_nothing_is_left_of_a_cluster_whose_process_is_killed() -> None:
    """Without nodes: what has to go is the network."""
    code = "from tests.chaos.nodes import _Network; _Network(3); print('made', flush=True); input()"
    before = _interfaces()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"made\n"
        assert len(_interfaces() - before) == 1
        process.kill()

    async def are_gone() -> bool:
        return _interfaces() == before

    asyncio.run(eventually(are_gone))


def _interfaces() -> set[str]:
    shown = subprocess.run(["ip", "-brief", "link"], check=True, capture_output=True, text=True).stdout
    return {line.split("@")[0].split()[0] for line in shown.splitlines() if line.startswith("warrener-")}

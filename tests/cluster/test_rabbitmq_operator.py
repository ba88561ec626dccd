"""Three broker nodes by RabbitMQ's cluster operator, one of which is lost while workers are at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.actions import kill
from tests.cluster.conftest import Place
from tests.cluster.others import version_of
from tests.cluster.test_cluster import assert_exact, finished, square
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.objects import conditions, is_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.objects import Object

QUEUE = "three"
TASKS = 400
NODES = {"app.kubernetes.io/name": BROKER}


@pytest.fixture
def three(place: Place) -> Iterator[Place]:
    """A namespace of its own, since one has one broker; the operator's pods are not fit for `restricted`."""
    version_of(place, "rabbitmq.com", "RabbitMQ's cluster operator")
    own = Place(f"{place.namespace}-three", place.directory)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own.namespace}}
    own.ask(lambda cluster: cluster.create(namespace))
    try:
        done = own.up(QUEUE, "--rabbitmq", "operator", "--broker-cpu", "100m")
        assert done.returncode == 0, done.stderr
        yield own
    finally:
        own.warrener("k8s", "down", "--purge", "--yes", "--namespace", own.namespace)
        own.ask(lambda cluster: cluster.delete("Namespace", own.namespace))


async def ready(cluster: Cluster) -> list[Object]:
    """The three nodes, once all take connections."""
    nodes = [pod for pod in await cluster.list("Pod", NODES) if is_ready(pod)]
    return nodes if len(nodes) == 3 else []


async def is_known_ready(cluster: Cluster) -> bool:
    """Whether the operator, which asks each node how it is, says so of all of them."""
    broker = await cluster.get("RabbitmqCluster", BROKER)
    return any(c["type"] == "AllReplicasReady" and c["status"] == "True" for c in conditions(broker or {}))


def test_a_broker_node_is_lost_under_load(three: Place) -> None:
    # Given three nodes, and workers at work
    before = {node["metadata"]["uid"] for node in three.until(ready)}
    assert three.until(is_known_ready)
    three.tasks(QUEUE, [square(n, 0.5) for n in range(TASKS)])
    submission = three.begin(QUEUE, "--parallelism", "4")
    three.running(QUEUE, 4)
    three.until_done(QUEUE, 10)
    # When one node is killed with most of them to come
    three.ask(lambda cluster: kill(cluster, f"{BROKER}-server-1"))
    assert three.status(QUEUE)["completed"] < TASKS
    # Then all tasks have their rows
    finished(submission)
    assert_exact(three, QUEUE, TASKS)
    assert three.status(QUEUE)["failed"] == 0
    # And the node is back
    assert len({node["metadata"]["uid"] for node in three.until(ready)} - before) == 1

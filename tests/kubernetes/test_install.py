"""A broker made in a cluster, reached through it, used and removed: the cluster a double, the RabbitMQ real."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import drain
from tests.kubernetes.double import Double
from tests.kubernetes.rights import documented
from tests.kubernetes.specs import small_spec
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq.access import ROLES, permissions
from warrener.brokers.rabbitmq.management import Management
from warrener.errors import AccessRefused, ClusterError, ClusterUnreachable, ObjectMissing
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.manifests.record import RECORD
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import broker_start, install
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.reach import queue_of, reached
from warrener.kubernetes.operations.submit import Submission
from warrener.kubernetes.operations.uninstall import uninstall
from warrener.models import Task
from warrener.provenance import begun_now
from warrener.sources import Line
from warrener.writers import opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.rights import Entitled
    from tests.operator import Operator

from tests.kubernetes.brokers import (
    POD,
    VHOST,
    a_spec,
    broker_pod,
    keep_secret,
    of_part,
    quiet,
)


@pytest.fixture
def cluster(broker_cluster: Entitled) -> Entitled:
    return broker_cluster


async def test_from_nothing_to_a_queue_with_its_users(cluster: Double, server: Operator) -> None:
    wanted = a_spec()
    said: list[str] = []

    await install.install(cluster, wanted, said.append)

    async with queue_of(cluster, wanted.queue) as address, connect(address) as broker:
        assert (await broker.counts()).ready == 0
        assert all(finding.ok for finding in await broker.inspect())
    may = permissions(wanted.queue)
    users = {row["name"]: row for row in server.get("users")}
    granted = {
        row["user"]: (row["configure"], row["write"], row["read"])
        for row in server.get("vhosts", VHOST, "permissions")
    }
    for part in ROLES:
        name = f"{wanted.queue}-{part}"
        assert granted[name] == (may[part].configure, may[part].write, may[part].read)
        assert tuple(users[name]["tags"]) == may[part].tags
    # The passwords in the Secrets are the users'.
    for part in ROLES:
        async with reached(cluster, await of_part(cluster, wanted, part), wanted.queue) as address:
            if part in ("setup", "watcher"):
                with closing(Management(address)) as management:
                    await management.queues()
            async with connect(address):
                pass


async def test_passwords_are_made_once(cluster: Double) -> None:
    wanted = a_spec()
    await install.install(cluster, wanted, quiet)
    before = {key: found["data"] for key, found in cluster.objects.items() if key[0] == "Secret"}
    cluster.deeds.clear()

    await install.install(cluster, wanted, quiet)

    assert {key: found["data"] for key, found in cluster.objects.items() if key[0] == "Secret"} == before
    assert [deed for deed in cluster.deeds if deed[1] == "Secret"] == []


async def test_a_second_queue_shares_the_broker(cluster: Double) -> None:
    one, other = a_spec(), a_spec()
    await install.install(cluster, one, quiet)

    await prepare(cluster, other, [123], quiet)

    async with queue_of(cluster, other.queue) as address, connect(address) as broker:
        assert 123 in await broker.delays([123])
    async with queue_of(cluster, one.queue) as address, connect(address) as broker:
        await broker.counts()


async def test_a_user_of_one_queue_has_no_say_in_another(cluster: Double) -> None:
    one, other = a_spec(), a_spec()
    await install.install(cluster, one, quiet)
    await prepare(cluster, other, [], quiet)
    who = await of_part(cluster, one, "setup")

    async with reached(cluster, who, other.queue) as address:
        with pytest.raises(AccessRefused):
            async with connect(address) as broker:
                await broker.declare([])


async def test_queues_whose_objects_would_share_names(cluster: Double) -> None:
    queue = a_spec().queue
    await install.install(cluster, small_spec(queue=f"{queue}.b"), quiet)
    before = dict(cluster.objects)

    with pytest.raises(
        ClusterError, match=rf"queue '{queue}_b' would share its objects' names with queue '{queue}.b'"
    ):
        await prepare(cluster, small_spec(queue=f"{queue}_b"), [], quiet)

    assert cluster.objects == before


@pytest.mark.parametrize("entries", [{}, {"username": "me"}, {"username": "", "password": ""}])
async def test_a_users_secret_that_holds_no_user_is_named(cluster: Double, entries: dict[str, str]) -> None:
    wanted = a_spec()
    secret = wanted.names.secret("worker")
    keep_secret(cluster, secret, **entries)

    with pytest.raises(
        ObjectMissing,
        match=rf"Secret {secret} has no username and password.*`kubectl delete secret {secret} --namespace batch`",
    ):
        await prepare(cluster, wanted, [], quiet)


async def test_nodes_that_have_not_started_cost_one_request_for_events_a_look(cluster: Double) -> None:
    def pending(made: dict[str, Any]) -> None:
        if made["kind"] == "StatefulSet":
            for number in range(3):
                pod = broker_pod(cluster, ready=False)
                pod["status"]["phase"] = "Pending"
                cluster.objects["Pod", f"{POD}{number}"] = {
                    **pod,
                    "metadata": {**pod["metadata"], "name": f"{POD}{number}"},
                }

    cluster.on_create = pending
    asked: list[int] = []

    def on_progress(text: str) -> None:
        asked.append(cluster.asked)
        if len(asked) == 3:
            cluster.objects = {key: found for key, found in cluster.objects.items() if key[0] != "Pod"}
            broker_pod(cluster)

    await install.install(cluster, a_spec(), on_progress)

    assert asked == [1, 2, 3]


async def test_a_lost_way_to_the_broker_is_the_clusters_fault(cluster: Double) -> None:
    wanted = a_spec()
    await install.install(cluster, wanted, quiet)
    broker_pod(cluster, ready=False)

    with pytest.raises(ClusterUnreachable):
        async with queue_of(cluster, wanted.queue) as address, connect(address):
            pass


async def test_a_broker_that_does_not_come_up_says_why(
    cluster: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unscheduled(made: dict[str, Any]) -> None:
        if made["kind"] == "StatefulSet":
            pod = broker_pod(cluster, ready=False)
            image = {"reason": "InvalidImageName"}
            state = {"name": "rabbitmq", "image": "R", "state": {"waiting": image}}
            pod["status"] |= {"phase": "Pending", "containerStatuses": [state]}

    cluster.on_create = unscheduled
    with pytest.raises(ClusterError, match="the broker does not come up: 'R' is not the name of an image"):
        await install.install(cluster, a_spec(), quiet)

    cluster.on_create = quiet_object
    await uninstall(cluster, purge=False)
    del cluster.objects["Pod", POD]
    monkeypatch.setattr(broker_start, "PATIENCE", 0.05)
    cluster.tell("StatefulSet", BROKER, "FailedCreate", "exceeded quota: small")
    with pytest.raises(ClusterError, match=r"the broker does not come up: .*exceeded quota: small"):
        await install.install(cluster, a_spec(), quiet)


async def test_what_keeps_the_operator_from_its_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_start, "PATIENCE", 0.05)
    cluster, wanted, said = Double(), small_spec(rabbitmq="operator"), list[str]()
    cluster.lacks.clear()
    for manifest in render(wanted, ["broker"]):
        await cluster.apply(manifest)
    failed = {
        "type": "ReconcileSuccess",
        "status": "False",
        "message": "failed to enable all feature flags on pod",
    }
    owner = cluster.objects["RabbitmqCluster", BROKER]
    owner["metadata"]["generation"] = 2  # which it does not say that it has seen
    owner["status"] = {"conditions": [failed]}
    cluster.objects["Pod", "node"] = {
        "metadata": {"name": "node", "labels": {"app.kubernetes.io/name": BROKER}},
        "spec": {"containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }

    with pytest.raises(ClusterError, match="RabbitMQ's operator cannot get on: failed to enable all"):
        await broker_start.until_ready(cluster, wanted, said.append)

    assert said[0] == (
        "0 of 3 broker nodes ready: RabbitMQ's operator cannot get on: failed to enable all feature flags on pod"
    )


def quiet_object(_: dict[str, Any]) -> None:
    """Nothing becomes of it."""


async def test_down_keeps_data_and_passwords_unless_purged(cluster: Double) -> None:
    wanted = a_spec()
    await install.install(cluster, wanted, quiet)
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": {"app.kubernetes.io/part-of": "warrener"}},
    }
    cluster.objects["PersistentVolumeClaim", "data"] = claim
    cluster.objects["Secret", "mine"] = {"kind": "Secret", "metadata": {"name": "mine"}}
    secrets = {key for key in cluster.objects if key[0] == "Secret"}

    removed = await uninstall(cluster, purge=False)

    assert f"StatefulSet {BROKER}" in removed.names
    assert removed.outcome == "data and passwords are kept"
    assert {key for key in cluster.objects if key[0] not in ("Pod", "Namespace")} == secrets | {
        ("PersistentVolumeClaim", "data"),
        ("ConfigMap", RECORD),
    }
    # A broker that is made again finds both.
    await install.install(cluster, wanted, quiet)
    await uninstall(cluster, purge=True)
    assert {key for key in cluster.objects if key[0] not in ("Pod", "Namespace")} == {
        ("Secret", "mine"),
        ("Secret", f"{BROKER}-admin"),
    }


async def test_a_batch_from_end_to_end(cluster: Entitled, tmp_path: Path) -> None:
    wanted = a_spec()
    await install.install(cluster, wanted, quiet)
    workers: list[asyncio.Task[Any]] = []
    started: list[str] = []

    async def work(job: str) -> None:
        # As a pod does: with the worker's own user.
        async with reached(cluster, await of_part(cluster, wanted, "worker"), wanted.queue) as address:
            await drain(Address(address.broker, address.queue), awaits_runs=True)
        cluster.end(job, "Complete")

    def on_create(made: dict[str, Any]) -> None:
        name = made["metadata"]["name"]
        if made["kind"] == "Job":
            started.append(name)
            cluster.pod(name, name=f"{name}-0")
            cluster.output[f"{name}-0"] = ['INFO its retries need {"delays":[50,100,200,400]}']
            workers.append(asyncio.create_task(work(name)))

    cluster.on_create = on_create

    async def submit(count: int) -> Submission:
        lines = iter([Line(n + 1, Task(f"t{n}", "echo", {"number": n})) for n in range(count)])
        submission = Submission(cluster, wanted, begun_now("-"), on_progress=quiet, on_look=lambda *_: None)
        with opened(str(tmp_path / "out.jsonl"), "jsonl") as target:
            async with asyncio.timeout(60):
                summary = await submission.run(lines, target)
        assert summary
        assert (summary.completed, summary.failed, summary.missing) == (count, 0, 0)
        await asyncio.gather(*workers)
        return submission

    first = await submit(5)
    assert first.were_done == 0
    begun = len(started)
    # The same command again goes on where it was.
    second = await submit(8)
    assert second.were_done == 5
    before = started.copy()
    # And starts nothing where all is done.
    third = await submit(8)
    assert third.were_done == 8
    assert started == before
    # Each time there was a Job, and one after it where its workers had left just before the tasks came.
    assert started == [wanted.names.workers(number) for number in range(1, len(started) + 1)]
    assert 0 < begun < len(started)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(8)}
    # The rights that the guide asks for suffice; whoever may not look for a namespace has been given one.
    await uninstall(cluster, purge=True)
    assert cluster.used - documented() <= {("", "namespaces", "get")}

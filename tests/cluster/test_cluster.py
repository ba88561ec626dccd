"""Batches on a real cluster, and all that can happen to their pods."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.actions import evict, kill
from warrener.brokers import Message, connect
from warrener.errors import AccessRefused, BrokerError
from warrener.kubernetes.manifests.names import BROKER, PART_OF, object_names, selector
from warrener.kubernetes.operations.credentials import login
from warrener.kubernetes.operations.reach import reached

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster


def square(n: int, seconds: float = 0.0) -> dict[str, Any]:
    return {"id": f"t{n}", "type": "square", "data": {"n": n, "seconds": seconds}}


def assert_exact(place: Place, queue: str, count: int, *, attempts: set[int] | None = None) -> None:
    rows = place.rows(queue)
    assert {row["task_id"]: row["value"] for row in rows} == {f"t{n}": n * n for n in range(count)}
    assert len(rows) == count
    if attempts:
        assert {row["attempts"] for row in rows} == attempts


def finished(submission: Popen[str]) -> str:
    _, errors = submission.communicate(timeout=300)
    assert submission.returncode == 0, errors
    return errors


def failed_pods(place: Place, queue: str) -> tuple[int, str]:
    async def ask(cluster: Cluster) -> tuple[int, str]:
        jobs = await cluster.list("Job", selector(object_names(queue).base, "worker"))
        status = jobs[0]["status"]
        return status.get("failed", 0), status.get("failedIndexes", "")

    return place.ask(ask)


def killed_pods(place: Place, queue: str) -> int:
    """How many pods the kernel has ended for want of memory, with all that ran in them."""

    async def ask(cluster: Cluster) -> int:
        pods = await cluster.list("Pod", selector(object_names(queue).base, "worker"))
        states = [c["state"] for pod in pods for c in pod["status"]["containerStatuses"]]
        ended = [
            (state["terminated"]["exitCode"], state["terminated"]["reason"])
            for state in states
            if "terminated" in state
        ]
        return ended.count((137, "OOMKilled"))

    return place.ask(ask)


def test_two_thousand_tasks_give_two_thousand_rows(place: Place) -> None:
    place.tasks("many", [square(n) for n in range(2000)])

    done = place.submit("many", "--report", "many.html")

    assert done.returncode == 0, done.stderr
    assert "2,000 tasks: 2,000 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr
    assert_exact(place, "many", 2000, attempts={1})
    assert 'id="completed" value="2000"' in (place.directory / "many.html").read_text()


@pytest.mark.parametrize("app", ["same", "other"])
def test_of_two_files_at_the_same_moment_one_has_a_new_queue(place: Place, app: str) -> None:
    queue = f"both-{app}"
    names = [f"{queue}-{n}" for n in range(2)]
    for name in names:
        place.tasks(name, [square(n, 0.1) for n in range(20)])
    options = [(), ("--memory", "200Mi") if app == "other" else ()]

    submissions = [place.begin(queue, *more, tasks=name) for name, more in zip(names, options, strict=True)]

    errors = [submission.communicate(timeout=300)[1] for submission in submissions]
    codes = [submission.returncode for submission in submissions]
    assert sorted(codes) == [0, 2], errors
    winner, loser = codes.index(0), codes.index(2)
    assert (
        f"holds the batch of {socket.gethostname()}:{place.directory / names[winner]}.jsonl" in errors[loser]
    )
    assert_exact(place, names[winner], 20, attempts={1})
    assert not (place.directory / f"{names[loser]}.results.jsonl").exists()
    jobs = place.ask(lambda cluster: cluster.list("Job", PART_OF | {"app.kubernetes.io/instance": queue}))
    assert [job["metadata"]["name"] for job in jobs] == [f"{queue}-workers"]
    assert place.status(queue)["total"] == 20


def test_evicted_pod_costs_no_attempt_and_is_replaced(place: Place) -> None:
    place.tasks("evicted", [square(n, 2) for n in range(12)])
    submission = place.begin("evicted", "--grace", "0")
    pod = place.running("evicted", 2)[0]["metadata"]["name"]
    place.until_done("evicted", 1)
    place.ask(lambda cluster: evict(cluster, pod))

    finished(submission)

    assert_exact(place, "evicted", 12, attempts={1})
    assert failed_pods(place, "evicted") == (0, "")


def test_pod_killed_without_notice_loses_nothing(place: Place) -> None:
    place.tasks("killed", [square(n, 1) for n in range(12)])
    submission = place.begin("killed")
    pod = place.running("killed", 2)[0]["metadata"]["name"]
    place.until_done("killed", 1)
    place.ask(lambda cluster: kill(cluster, pod))

    finished(submission)

    assert_exact(place, "killed", 12)


def test_workers_grow_and_shrink_while_they_work(place: Place) -> None:
    place.tasks("scaled", [square(n, 1) for n in range(60)])
    submission = place.begin("scaled", "--parallelism", "4", "--grace", "0")
    place.running("scaled", 4)
    where = ("--queue", "scaled", "--namespace", place.namespace)
    assert place.warrener("k8s", "scale", "8", *where).returncode == 0
    place.running("scaled", 8)
    assert place.warrener("k8s", "scale", "2", *where).returncode == 0

    finished(submission)

    assert_exact(place, "scaled", 60, attempts={1})


def test_broker_pod_deleted_under_a_run(place: Place) -> None:
    place.tasks("broken", [square(n, 0.5) for n in range(60)])
    submission = place.begin("broken")
    place.running("broken", 2)
    place.until_done("broken", 1)
    place.ask(lambda cluster: cluster.delete("Pod", f"{BROKER}-0"))

    finished(submission)

    assert_exact(place, "broken", 60)


def test_task_that_eats_all_memory_fails_alone(place: Place) -> None:
    hog = {"id": "hog", "type": "hog", "data": {"mebibytes": 1000}}
    place.tasks("hungry", [hog, *(square(n) for n in range(50))])

    done = place.submit("hungry", "--memory", "128Mi")

    assert done.returncode == 1, done.stderr
    assert "51 tasks: 50 completed, 1 failed, 0 missing" in done.stderr
    assert_exact(place, "hungry", 50)
    broker = ("--broker", f"k8s:{place.namespace}", "--queue", "hungry")
    assert "reason    crashed" in place.warrener("failures", "show", "hog", *broker).stdout


def test_task_that_has_its_whole_container_killed_fails_alone(place: Place) -> None:
    tasks = [square(n, 0.05) for n in range(200)]
    place.tasks("flooded", [*tasks[:100], {"id": "flood", "type": "flood"}, *tasks[100:]])

    done = place.submit("flooded", "--memory", "128Mi")

    assert done.returncode == 1, done.stderr
    assert "201 tasks: 200 completed, 1 failed, 0 missing" in done.stderr
    assert "OOMKilled" in done.stderr
    assert_exact(place, "flooded", 200)
    broker = ("--broker", f"k8s:{place.namespace}", "--queue", "flooded")
    shown = place.warrener("failures", "show", "flood", *broker).stdout
    assert "reason    crashed" in shown
    assert shown.count("WorkerLost") == 6
    assert killed_pods(place, "flooded") == 6


def test_cancelled_and_resumed_run_is_exact(place: Place) -> None:
    place.tasks("resumed", [square(n, 1) for n in range(60)])
    where = ("--queue", "resumed", "--namespace", place.namespace)
    assert place.submit("resumed", "--no-wait", "--grace", "0").returncode == 0
    place.until_done("resumed", 2)
    done = place.warrener("k8s", "cancel", *where)
    assert done.returncode == 0, done.stderr
    status = place.status("resumed")
    assert status["completed"] < 60
    assert status["workers"]["state"] == "suspended"

    done = place.warrener("k8s", "resume", *where)

    assert done.returncode == 0, done.stderr
    assert place.warrener("k8s", "status", "--watch", *where).returncode == 0
    broker = ("--broker", f"k8s:{place.namespace}", "--queue", "resumed")
    assert place.warrener("results", "-o", "resumed.results.jsonl", *broker).returncode == 0
    assert_exact(place, "resumed", 60, attempts={1})


def test_image_that_is_not_there_is_said(place: Place) -> None:
    place.tasks("imageless", [square(0)])

    done = place.submit("imageless", "--image", "localhost/no-such-image:1")

    assert done.returncode == 3, done.stderr
    assert "image localhost/no-such-image:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_app_that_does_not_import_is_said_before_anything_is_published(place: Place) -> None:
    (place.directory / "broken_app.py").write_text("import no_such_module\n")
    place.tasks("typo", [square(0)])
    words = place.submit_words("typo")
    words[2] = "broken_app.py"

    done = place.warrener(*words)

    assert done.returncode == 2, done.stderr
    assert "No module named 'no_such_module'" in done.stderr
    assert place.status("typo")["ready"] == 0


def test_secret_that_is_missing_is_said(place: Place) -> None:
    place.tasks("secretless", [square(0)])
    patch = place.directory / "patch.yaml"
    patch.write_text("spec:\n  volumes:\n  - name: broker\n    secret:\n      secretName: no-such-secret\n")

    done = place.submit("secretless", "--patch", str(patch))

    assert done.returncode == 3, done.stderr
    assert "Secret no-such-secret" in done.stderr


def test_pods_that_the_namespace_forbids_are_said_before_they_are_applied(place: Place) -> None:
    place.tasks("forbidden", [square(0)])
    patch = place.directory / "privileged.yaml"
    patch.write_text("spec:\n  hostNetwork: true\n")

    done = place.submit("forbidden", "--patch", str(patch))

    assert done.returncode == 2, done.stderr
    assert "hostNetwork" in done.stderr


@pytest.mark.parametrize("part", ["producer", "worker", "collector", "watcher"])
def test_users_of_one_part_are_refused_the_others(place: Place, part: str) -> None:
    assert place.up("shared").returncode == 0

    async def ask(cluster: Cluster) -> dict[str, bool]:
        who = await login(cluster, object_names("shared").secret(part))
        assert who
        async with reached(cluster, who, "shared") as address:
            may = {}
            for deed in (publish, consume, collect, count, declare):
                async with connect(address) as broker:
                    try:
                        async with asyncio.timeout(30):
                            await deed(broker)
                        may[deed.__name__] = True
                    except AccessRefused:
                        may[deed.__name__] = False
            return may

    may = {name for name, allowed in place.ask(ask).items() if allowed}
    assert (
        may
        == {
            "producer": {"publish"},
            "worker": {"consume"},
            "collector": {"collect"},
            "watcher": {"consume", "collect", "count"},
        }[part]
    )


async def publish(broker: Any) -> None:
    session = broker.publish_session()
    await session.publish([Message(b'{"id": "x", "type": "square"}', "x")])
    await session.flush()


class Deaf:
    """A listener that wants nothing."""

    def on_delivery(self, delivery: object) -> None: ...
    def on_lost(self, settled: object) -> None: ...


async def consume(broker: Any) -> None:
    await broker.consume(Deaf(), 1)


async def collect(broker: Any) -> None:
    async for _ in broker.results():
        pass
    async for _ in broker.failures():
        pass


async def count(broker: Any) -> None:
    await broker.counts()


async def declare(broker: Any) -> None:
    try:
        await broker.declare([])
    except BrokerError as error:
        raise AccessRefused(str(error)) from error

"""A batch that runs by itself, on a real cluster: a run of its CronJob is started by hand, and its pod taken away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cluster.actions import evict
from tests.cluster.conftest import APP
from tests.cluster.pods import output, start

if TYPE_CHECKING:
    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster

QUEUE, CLAIM = "nightly", "nightly-data"
OF_SCHEDULE = {"app.kubernetes.io/component": "schedule", "app.kubernetes.io/instance": QUEUE}


def on_volume(place: Place, name: str, program: str) -> str:
    """What a program prints in a pod that has the volume."""
    start(place, name, program, claim=CLAIM)
    return output(place, name)


def test_a_scheduled_run_goes_on_when_its_pod_is_evicted_and_keeps_its_rows(place: Place) -> None:
    # Given tasks on a volume, and a schedule
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    place.ask(lambda cluster: cluster.create(claim))
    tasks = [{"type": "square", "data": {"n": n, "seconds": 1}} for n in range(20)]
    on_volume(place, "writer", f"open('/data/tasks.jsonl', 'w').write({_lines(tasks)!r})")
    where = ("--queue", QUEUE, "--namespace", place.namespace)
    done = place.warrener(
        *("k8s", "submit", APP, "/data/tasks.jsonl", "--schedule", "0 2 30 2 *", "--volume", CLAIM),
        *("--image", place.image, "--cpu", "20m", *where),
    )
    assert done.returncode == 0, done.stderr
    # When a run of it is started by hand, as `kubectl create job --from` does, and its pod evicted
    place.ask(lambda cluster: begin(cluster, "by-hand"))
    place.running(QUEUE)
    place.until_done(QUEUE, 2)

    async def first_pod(cluster: Cluster) -> str:
        (pod,) = await cluster.list("Pod", OF_SCHEDULE)
        return str(pod["metadata"]["name"])

    pod = place.ask(first_pod)
    place.ask(lambda cluster: evict(cluster, pod))

    # Then another pod goes on to the end, and all rows are there, each task run once
    async def ended(cluster: Cluster) -> list[str]:
        job = await cluster.get("Job", "by-hand")
        told = {told["type"] for told in (job or {}).get("status", {}).get("conditions", [])}
        return sorted(told & {"Complete", "Failed"})  # others come before the last pod has left

    assert place.until(ended) == ["Complete"]
    kept = on_volume(place, "reader", "print(open('/data/results/by-hand.jsonl').read().strip())")
    rows = [json.loads(line) for line in kept.splitlines()]
    assert sorted(row["value"] for row in rows) == [n * n for n in range(20)]
    assert {row["attempts"] for row in rows} == {1}
    report = on_volume(place, "looker", "print(open('/data/results/by-hand.html').read())")
    assert 'id="completed" value="20"' in report
    # And the schedule can be taken away
    assert place.warrener("k8s", "cancel", "--schedule", *where).returncode == 0


async def begin(cluster: Cluster, name: str) -> None:
    cron_job = await cluster.get("CronJob", f"{QUEUE}-schedule")
    assert cron_job
    template: dict[str, Any] = cron_job["spec"]["jobTemplate"]
    metadata = {**template["metadata"], "name": name}
    await cluster.create(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    )


def _lines(tasks: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(task) + "\n" for task in tasks)

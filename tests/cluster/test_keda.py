"""A queue that stands: KEDA starts workers for it when tasks come, and none are there when they are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.conftest import APP
from tests.cluster.others import version_of
from tests.cluster.test_cluster import assert_exact, square
from warrener.kubernetes.manifests.names import object_names, selector

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.objects import Object

QUEUE = "standing"
TASKS = 60  # for three workers, since each takes twenty


def applied(place: Place, manifests: Path) -> None:
    import yaml

    async def apply(cluster: Cluster) -> None:
        for manifest in yaml.safe_load_all(manifests.read_text()):
            await cluster.apply(manifest)

    place.ask(apply)


def test_workers_come_with_tasks_and_leave_with_them(place: Place) -> None:
    version_of(place, "keda.sh", "KEDA")
    where = ("--queue", QUEUE, "--namespace", place.namespace)
    broker = ("--broker", f"k8s:{place.namespace}", "--queue", QUEUE)
    # Given a queue that stands, without a task and so without a worker
    assert place.up(QUEUE).returncode == 0
    scaling = ("--section", "workers", "--autoscale", "keda", "--parallelism", "5")
    image = ("--image", place.image, "--cpu", "20m")
    done = place.warrener("k8s", "render", APP, *where, *scaling, *image, "-o", "keda.yaml")
    assert done.returncode == 0, done.stderr
    applied(place, place.directory / "keda.yaml")

    async def jobs(cluster: Cluster) -> list[Object]:
        return await cluster.list("Job", selector(object_names(QUEUE).base, "worker"))

    async def is_active(cluster: Cluster) -> bool:
        found = await cluster.get("ScaledJob", object_names(QUEUE).standing)
        told = (found or {}).get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in told)

    assert place.until(is_active)
    assert place.ask(jobs) == []
    assert "none: KEDA starts them when tasks come" in place.warrener("k8s", "status", *where).stdout
    # When tasks come, twice
    for begin in (0, TASKS):
        place.tasks(QUEUE, [square(n, 0.2) for n in range(begin, begin + TASKS)])
        assert place.warrener("publish", f"{QUEUE}.jsonl", *broker).returncode == 0
        # Then workers do them, and leave
        place.until_done(QUEUE, begin + TASKS)

        async def ended(cluster: Cluster) -> bool:
            return not any(job.get("status", {}).get("active") for job in await jobs(cluster))

        assert place.until(ended)
    # And each task was done once, by no more workers than were to be
    done = place.warrener("results", "-o", f"{QUEUE}.results.jsonl", *broker)
    assert done.returncode == 0, done.stderr
    assert_exact(place, QUEUE, 2 * TASKS, attempts={1})
    assert 2 <= len(place.ask(jobs)) <= 10
    assert "none: KEDA starts them when tasks come" in place.warrener("k8s", "status", *where).stdout
    # And what would work against KEDA is refused
    done = place.warrener("k8s", "scale", "2", *where)
    assert (done.returncode, "are KEDA's" in done.stderr) == (3, True), done.stderr

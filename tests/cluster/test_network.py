"""Who reaches whom, on a cluster that enforces NetworkPolicies: what must get through does, and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import pods
from tests.cluster.others import make
from tests.cluster.test_cluster import finished, square
from tests.web.visitor import Visitor
from warrener.kubernetes.client.port_forward import Forward
from warrener.kubernetes.manifests import page
from warrener.kubernetes.manifests.monitoring import PORT as METRICS
from warrener.kubernetes.manifests.names import BROKER, PART_OF, object_names, selector
from warrener.kubernetes.objects import is_ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.cluster.conftest import Place
    from warrener.kubernetes.client.cluster import Cluster

AMQP, MANAGEMENT = (BROKER, 5672), (BROKER, 15672)
CLOSED = "closed"
PORT = 8000
SERVER = f"import http.server as s; s.HTTPServer(('', {PORT}), s.BaseHTTPRequestHandler).serve_forever()"
# A pod that has only just come may wait for the network's agent, so what is expected to get through has a minute for it.
TRY = """
import json, socket, time
targets, seconds = json.loads({targets!r}), {seconds}
def gets_through(host, port):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, port), 5).close()
            return True
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
print(json.dumps([target for target in targets if gets_through(*target)]))
"""


def reached(
    place: Place,
    name: str,
    labels: Mapping[str, str],
    targets: Sequence[tuple[str, int]],
    *,
    is_allowed: bool = False,
) -> set[tuple[str, int]]:
    """Which of these hosts and ports a pod with these labels reaches."""
    program = TRY.format(targets=json.dumps(targets), seconds=60 if is_allowed else 0)
    pods.start(place, name, program, labels=labels)
    return {(host, port) for host, port in json.loads(pods.output(place, name))}


def address(place: Place, labels: Mapping[str, str]) -> str:
    """Of the pod with these labels, once it is ready."""

    async def ask(cluster: Cluster) -> str:
        ready = [pod for pod in await cluster.list("Pod", labels) if is_ready(pod)]
        return str(ready[0]["status"]["podIP"]) if ready else ""

    return place.until(ask)


@pytest.fixture(scope="module")
def enforced(place: Place) -> Iterator[Place]:
    """Skips where a pod that nobody may reach, by a policy that is not Warrener's, is reached nevertheless."""
    labels = {"test": CLOSED}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": CLOSED, "namespace": place.namespace},
        "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]},
    }
    place.ask(lambda cluster: cluster.create(policy))
    pods.start(place, CLOSED, SERVER, labels=labels, port=PORT)
    try:
        closed = [(address(place, labels), PORT)]
        # A policy that has only just come may not hold yet.
        if all(reached(place, f"prober-{n}", {}, closed) for n in range(3)):
            pytest.skip(
                "nothing on this cluster enforces NetworkPolicies: with a network plugin that does (Calico, Cilium, "
                "kube-network-policies), Warrener's are tried"
            )
        yield place
    finally:
        place.ask(lambda cluster: cluster.delete("Pod", CLOSED))


def test_only_pods_of_warrener_reach_the_broker(enforced: Place) -> None:
    producer = {**PART_OF, "app.kubernetes.io/component": "producer"}

    assert reached(enforced, "stranger", {}, [AMQP, MANAGEMENT]) == set()
    assert reached(enforced, "half", PART_OF, [AMQP, MANAGEMENT]) == set()
    assert reached(enforced, "producer", producer, [AMQP, MANAGEMENT], is_allowed=True) == {AMQP, MANAGEMENT}


def test_workers_with_egress_reach_the_broker_and_nobody_else_and_tell_their_numbers(enforced: Place) -> None:
    # Given workers that may call one network, where nothing is, and a pod that all may call
    pods.start(enforced, "open", SERVER, labels={"test": "open"}, port=PORT)
    other = (address(enforced, {"test": "open"}), PORT)
    calls = {"api": MANAGEMENT, "other": other}
    enforced.tasks(
        "walled",
        [
            *(square(n, 1) for n in range(20)),
            *(
                {"id": name, "type": "reaches", "data": {"host": host, "port": port}}
                for name, (host, port) in calls.items()
            ),
        ],
    )
    submission = enforced.begin("walled", "--egress", "203.0.113.0/24")
    # When they are asked for their numbers, and the pod is called
    numbers = (enforced.running("walled")[0]["status"]["podIP"], METRICS)
    # Then they answer
    assert reached(enforced, "scraper", {}, [numbers, other], is_allowed=True) == {numbers, other}
    # And the batch ends, whose tasks reach the broker, and nobody else
    finished(submission)
    rows = {row["task_id"]: row["value"] for row in enforced.rows("walled")}
    assert rows == {**{f"t{n}": n * n for n in range(20)}, "api": True, "other": False}


def test_the_page_reaches_the_broker_and_nobody_the_page(enforced: Place) -> None:
    import yaml

    queue = "seen"
    where = ("--queue", queue, "--namespace", enforced.namespace)
    assert enforced.up(queue).returncode == 0
    # Given the page as a Deployment
    rendered = ("--section", "ui", "--image", enforced.image, "-o", "page.yaml")
    done = enforced.warrener("k8s", "render", *where, *rendered)
    assert done.returncode == 0, done.stderr
    root = f"namespaces/{enforced.namespace}"
    for manifest in yaml.safe_load_all((enforced.directory / "page.yaml").read_text()):
        plural = {"Deployment": "deployments", "NetworkPolicy": "networkpolicies"}[manifest["kind"]]
        make(enforced, f"/apis/{manifest['apiVersion']}/{root}/{plural}", manifest)
    # When it is ready
    labels = selector(object_names(queue).base, page.COMPONENT)
    at = (address(enforced, labels), page.PORT)

    # Then it shows the queue to who has its link, over a port-forward, and pods do not reach it
    async def look(cluster: Cluster) -> dict[str, Any]:
        (pod,) = await cluster.list("Pod", labels)
        log = [line async for line in cluster.logs(pod["metadata"]["name"])]
        token = re.search(r"token=([\w-]+)", "\n".join(log))
        assert token, log
        async with Forward(cluster, labels, page.PORT) as forward:
            answer = await Visitor(forward.port).get("/api/queues", Authorization=f"Bearer {token[1]}")
        (row,) = [row for row in answer.json["queues"] if row["queue"] == queue]
        return row if row["error"] is None else {}  # it may still be looked at

    assert enforced.until(look)["ready"] == 0
    assert reached(enforced, "visitor", PART_OF, [at]) == set()

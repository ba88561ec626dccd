"""A namespace of the tests' own on a real cluster, with a broker in it. `make test-cluster` says what is needed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.manifests.names import object_names, selector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

T = TypeVar("T")

APP = str(Path(__file__).with_name("app.py"))
PATIENCE = 300.0
NEEDED = (
    "these tests need a cluster: set KUBECONFIG (kind, k3d or any), and WARRENER_TEST_IMAGE to an image of this "
    "project's Dockerfile that its nodes have or can pull; see docs/kubernetes.md"
)


class Place:
    """A namespace, and `warrener` as a user would type it there."""

    def __init__(self, namespace: str, directory: Path) -> None:
        self.namespace = namespace
        self.directory = directory
        self.image = os.environ["WARRENER_TEST_IMAGE"]
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")
        }

    def warrener(self, *words: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "warrener", *words],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, queue: str, *more: str) -> subprocess.CompletedProcess[str]:
        small = ["--storage", "1Gi", "--broker-memory", "1Gi"]
        if image := os.environ.get("WARRENER_TEST_RABBITMQ_IMAGE"):
            small += ["--rabbitmq-image", image]
        return self.warrener("k8s", "up", "--queue", queue, "--namespace", self.namespace, *small, *more)

    def submit_words(self, queue: str, *more: str, tasks: str = "") -> list[str]:
        """With the tasks of the queue's name, unless others are named."""
        where = ["--queue", queue, "--namespace", self.namespace]
        name = tasks or queue
        words = ["k8s", "submit", APP, f"{name}.jsonl", "-o", f"{name}.results.jsonl", *where]
        given = {word for word in more if word.startswith("--")}
        defaults = {"--image": self.image, "--cpu": "20m", "--parallelism": "2"}
        return [
            *words,
            *more,
            *(w for name, value in defaults.items() if name not in given for w in (name, value)),
        ]

    def submit(self, queue: str, *more: str) -> subprocess.CompletedProcess[str]:
        return self.warrener(*self.submit_words(queue, *more))

    def begin(self, queue: str, *more: str, tasks: str = "") -> subprocess.Popen[str]:
        """Submit, and go on at once."""
        words = [sys.executable, "-m", "warrener", *self.submit_words(queue, *more, tasks=tasks)]
        return subprocess.Popen(
            words, cwd=self.directory, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def tasks(self, queue: str, tasks: Sequence[object]) -> None:
        path = self.directory / f"{queue}.jsonl"
        path.write_text("".join(json.dumps(task) + "\n" for task in tasks))

    def rows(self, queue: str) -> list[dict[str, Any]]:
        lines = (self.directory / f"{queue}.results.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def status(self, queue: str) -> dict[str, Any]:
        done = self.warrener("k8s", "status", "--json", "--queue", queue, "--namespace", self.namespace)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def ask(self, question: Callable[[Cluster], Awaitable[T]]) -> T:
        """What the cluster answers."""

        async def main() -> T:
            async with Cluster.open(namespace=self.namespace) as cluster:
                return await question(cluster)

        return asyncio.run(main())

    def until(self, question: Callable[[Cluster], Awaitable[T]]) -> T:
        """Ask until the answer is something."""

        async def main() -> T:
            async with Cluster.open(namespace=self.namespace) as cluster, asyncio.timeout(PATIENCE):
                while not (answer := await question(cluster)):
                    await asyncio.sleep(0.5)
                return answer

        return asyncio.run(main())

    def until_done(self, queue: str, least: int) -> None:
        """Wait until so many tasks have ended."""
        while self.status(queue)["completed"] < least:
            pass

    def running(self, queue: str, least: int = 1) -> list[dict[str, Any]]:
        """The running pods of workers, once there are so many."""
        labels = selector(object_names(queue).base, "worker")

        async def pods(cluster: Cluster) -> list[dict[str, Any]]:
            found = await cluster.list("Pod", labels)
            ready = [pod for pod in found if pod.get("status", {}).get("phase") == "Running"]
            return ready if len(ready) >= least else []

        return self.until(pods)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not (os.environ.get("KUBECONFIG") and os.environ.get("WARRENER_TEST_IMAGE")):
        pytest.fail(NEEDED)
    place = Place(f"warrener-test-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("cluster"))
    # Enforced, so that every pod that runs here proves that it is fit for it.
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": place.namespace, "labels": labels},
    }
    place.ask(lambda cluster: cluster.create(namespace))
    try:
        done = place.up("first")
        assert done.returncode == 0, done.stderr
        yield place
    finally:
        place.ask(lambda cluster: cluster.delete("Namespace", place.namespace))

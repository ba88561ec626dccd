"""Warrener and its peers on one RabbitMQ: enqueue, then drain with two processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
import pika

from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import QUEUE, Broken, seconds_told

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from benchmarks.stage import Place


class Peer(msgspec.Struct, frozen=True):
    """A peer from PyPI.

    Args:
        module: Its file in `peers`, whose `main` enqueues.
        queue: Where its tasks are.
        worker: The command that works, with two processes.
        environment: What else makes it fast.
    """

    module: str
    queue: str
    worker: tuple[str, ...]
    environment: dict[str, str] = {}

    def __call__(self, place: Place) -> dict[str, float]:
        place.environment |= self.environment
        seconds = place.module(self.module, python=place.peers / "bin" / "python")
        binary, *words = self.worker
        return drained(place, self.queue, seconds, place.begin(str(place.peers / "bin" / binary), *words))


_DRAMATIQ = ("dramatiq", "benchmarks.peers.dramatiq", "--processes", "2")
_AHEAD = {"dramatiq_queue_prefetch": "200"}  # by itself it fetches two per thread, which takes twice as long
_FASTSTREAM = (
    "faststream",
    "run",
    "benchmarks.peers.faststream:app",
    "--workers",
    "2",
    "--log-level",
    "warning",
)
_CELERY = (
    *("celery", "-A", "benchmarks.peers.celery", "worker", "--pool", "prefork", "--concurrency", "2"),
    *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
)
_TASKIQ = (
    *("taskiq", "worker", "benchmarks.peers.taskiq:broker", "--workers", "2", "--log-level", "WARNING"),
    *("--ack-type", "when_executed", "--max-async-tasks", "200", "--max-prefetch", "200"),
)


def warrener(place: Place) -> dict[str, float]:
    seconds = place.module("warrener")
    figures = drained(place, QUEUE, seconds, place.begin_worker("noop", "--processes", "2"))
    left = json.loads(place.warrener("status", "--json").output.splitlines()[-1])
    if left["completed"] < place.tasks:
        raise Broken(f"not every task has its result: {left}")
    return figures


def bare_pika(processes: int) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        seconds = place.module("pika", "enqueue")
        workers = [place.begin_module("pika", "work") for _ in range(processes)]
        return drained(place, "bare", seconds, *workers)

    return run


def ceiling(verb: str) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        if not (binary := place.peers / "bin" / "ceiling").exists():
            raise Broken("the C client is not built")
        amqp = urlsplit(place.url)
        where = [amqp.hostname or "", str(amqp.port), amqp.username or "", unquote(amqp.password or "")]
        words = [*where, amqp.path[1:], str(place.tasks)]
        enqueued, worked = (seconds_told(place.run(str(binary), v, *words).output) for v in ("enqueue", verb))
        return {"enqueue": place.tasks / enqueued, "drain": place.tasks / worked}

    return run


def drained(
    place: Place, queue: str, enqueue_seconds: float, *workers: subprocess.Popen[bytes]
) -> dict[str, float]:
    """The figures once all tasks have run; nothing is left that was not acknowledged."""
    seen = place.await_marks(place.tasks)
    for worker in workers:
        place.stop(worker)
    if left := ready(place.url, queue):
        raise Broken(f"{left:,} tasks were not acknowledged")
    return {"enqueue": place.tasks / enqueue_seconds, "drain": seen.tasks / seen.seconds}


def ready(url: str, queue: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        count: int = connection.channel().queue_declare(queue, passive=True).method.message_count
        return count


PEERS = {
    "Celery": Peer("celery", "celery", _CELERY),
    "Dramatiq, 1 thread": Peer("dramatiq", "default", (*_DRAMATIQ, "--threads", "1"), _AHEAD),
    "Dramatiq, 8 threads": Peer("dramatiq", "default", (*_DRAMATIQ, "--threads", "8"), _AHEAD),
    "TaskIQ": Peer("taskiq", "taskiq", _TASKIQ),
    "FastStream": Peer("faststream", "faststream", _FASTSTREAM),
}

SCENARIO = Scenario(
    title="Tasks that do nothing, on RabbitMQ, two worker processes",
    figures=(Figure("enqueue"), Figure("drain")),
    contestants={
        "Warrener": warrener,
        **PEERS,
        "bare pika loop": bare_pika(1),
        "bare pika loop, 2 processes": bare_pika(2),
        "C client": ceiling("drain"),
        "C client, results confirmed": ceiling("work"),
    },
    tasks=20_000,
    yardstick="Warrener",
    targets=(
        *(Target("Warrener", "enqueue", 5, per=peer) for peer in PEERS),
        Target("Warrener", "enqueue", 0.6, per="C client"),
        *(Target("Warrener", "drain", 2, per=peer) for peer in PEERS),
        Target("Warrener", "drain", 0.8, per="bare pika loop, 2 processes"),
    ),
    has_peers=True,
)

"""Warrener and its peers on one RabbitMQ: enqueue, then drain with two processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pika

from benchmarks.contestants import PEERS
from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import QUEUE, Broken, seconds_told

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from benchmarks.contestants import Peer
    from benchmarks.stage import Place


def warrener(place: Place) -> dict[str, float]:
    place.warrener("setup")
    seconds = place.module("warrener")
    figures = drained(place, QUEUE, seconds, place.begin_worker("noop", "--processes", "2"))
    left = json.loads(place.warrener("status", "--json").output.splitlines()[-1])
    if left["completed"] < place.tasks:
        raise Broken(f"not every task has its result: {left}")
    return figures


def racing(peer: Peer) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment |= peer.environment
        seconds = place.module(peer.module, python=place.peers / "bin" / "python")
        return drained(place, peer.queue, seconds, peer.begin(place))

    return run


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
        words = [*c_address(place.url), str(place.tasks)]
        enqueued, worked = (seconds_told(place.run(str(binary), v, *words).output) for v in ("enqueue", verb))
        return {"enqueue": place.tasks / enqueued, "drain": place.tasks / worked}

    return run


def c_address(url: str) -> list[str]:
    """A broker's address as the C client takes it."""
    amqp = urlsplit(url)
    where = [amqp.hostname or "", str(amqp.port), amqp.username or "", unquote(amqp.password or "")]
    return [*where, amqp.path[1:]]


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


SCENARIO = Scenario(
    title="Tasks that do nothing, on RabbitMQ, two worker processes",
    figures=(Figure("enqueue"), Figure("drain")),
    contestants={
        "Warrener": warrener,
        **{name: racing(peer) for name, peer in PEERS.items()},
        "bare pika loop": bare_pika(1),
        "bare pika loop, 2 processes": bare_pika(2),
        "C client": ceiling("drain"),
        "C client, results confirmed": ceiling("work"),
    },
    tasks=20_000,
    yardstick="Warrener",
    targets=(
        *(Target("Warrener", "enqueue", 8, per=peer) for peer in PEERS),
        Target("Warrener", "enqueue", 0.9, per="C client"),
        *(Target("Warrener", "drain", 3, per=peer) for peer in PEERS),
        Target("Warrener", "drain", 1.3, per="bare pika loop, 2 processes"),
        Target("Warrener", "drain", 0.8, per="C client, results confirmed"),
    ),
    has_peers=True,
)

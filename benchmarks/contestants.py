"""The peers from PyPI, each set up for speed: which module enqueues, which command works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import subprocess

    from benchmarks.stage import Place


class Peer(msgspec.Struct, frozen=True):
    """A peer from PyPI.

    Args:
        module: Its file in `peers`, whose `main` enqueues.
        queue: Where its tasks are.
        worker: The command that works, with two processes; `{url}` is the broker's.
        environment: What else makes it fast.
    """

    module: str
    queue: str
    worker: tuple[str, ...]
    environment: dict[str, str] = {}

    def begin(self, place: Place) -> subprocess.Popen[bytes]:
        """Start its worker."""
        binary, *words = self.worker
        return place.begin(str(place.peers / "bin" / binary), *(word.format(url=place.url) for word in words))


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
_TARSK = (
    *("tarsk", "worker", "--broker", "{url}", "--app", "benchmarks.peers.tarsk:app"),
    *("--queues", "bench", "--children", "2"),
)

PEERS = {
    "Celery": Peer("celery", "celery", _CELERY),
    "Dramatiq, 1 thread": Peer("dramatiq", "default", (*_DRAMATIQ, "--threads", "1"), _AHEAD),
    "Dramatiq, 8 threads": Peer("dramatiq", "default", (*_DRAMATIQ, "--threads", "8"), _AHEAD),
    "TaskIQ": Peer("taskiq", "taskiq", _TASKIQ),
    "tarsk": Peer("tarsk", "tarsk:bench", _TARSK),
    "FastStream": Peer("faststream", "faststream", _FASTSTREAM),
}

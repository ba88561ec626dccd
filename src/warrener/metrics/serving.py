"""What a worker serves: /metrics for Prometheus, /livez and /readyz for a kubelet."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from warrener.errors import UsageError
from warrener.metrics.names import SLOTS
from warrener.metrics.queue import QueueDepths
from warrener.metrics.samples import MISSING, Sample, is_installed, written
from warrener.metrics.server import Answer, Server
from warrener.metrics.tally import Tally

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.worker.health import Health
    from warrener.worker.manifest import AppManifest

TELLERS: Final = 3
"""So many workers of a Kubernetes Job tell how many tasks the queue has: those of its first slots. Of a hundred that ask, each
would have the same answer."""
_INDEX: Final = "JOB_COMPLETION_INDEX"
_OK: Final = Answer(200, b"ok\n")


class WorkerMetrics:
    """The numbers of one worker, and its server; from before its broker is there until after its end.

    Args:
        queue: The queue's name.
    """

    def __init__(self, queue: str) -> None:
        self.tally = Tally(queue)
        self._queue = queue
        self._health: Health | None = None
        self._depths: QueueDepths | None = None
        self._looking: asyncio.Task[None] | None = None
        self._server = Server({"/metrics": self._metrics, "/livez": self._livez, "/readyz": self._readyz})

    async def start(self, host: str | None, port: int) -> int:
        """Serve; the port. Without prometheus-client there are no metrics, but the probes answer.

        Raises:
            UsageError: It cannot be listened there.
        """
        if not self.lacks:
            written([])  # imports it now, and not while tasks run
        return await self._server.start(host, port)

    @property
    def lacks(self) -> str:
        """Why there are no metrics; empty where there are."""
        return "" if is_installed() else MISSING

    def begin(self, broker: Broker, health: Health) -> None:
        """The broker is there, and the children are being started."""
        self._health = health
        broker.time_confirms(lambda _delivery, _outcome, seconds: self.tally.confirm.add(seconds))
        if _index() < TELLERS:
            self._depths = QueueDepths(broker, self._queue)
        self._looking = asyncio.create_task(health.keep_listening())

    def know(self, manifest: AppManifest) -> None:
        """The app is there."""
        self.tally.know(manifest.handlers)

    def end(self) -> None:
        """The broker is not there any more."""
        self._health = self._depths = None
        if self._looking:
            self._looking.cancel()

    async def close(self) -> None:
        """Serve no more."""
        self.end()
        await self._server.close()

    async def _metrics(self, accept: str) -> Answer:
        samples = self.tally.samples()
        if health := self._health:
            states = {"busy": health.busy, "free": health.slots - health.busy}
            samples += [Sample(SLOTS, (self._queue, state), count) for state, count in states.items()]
        if self._depths:
            samples += await self._depths.samples()
        try:
            content_type, body = await asyncio.to_thread(written, samples, accept)
        except UsageError as error:
            return Answer(501, f"{error}\n".encode())
        return Answer(200, body, content_type)

    async def _livez(self, _: str) -> Answer:
        """It fails for what a new worker would do better, and for nothing else."""
        if self._health and self._health.is_deaf:
            return _failed("tasks are ready and slots are free, but for a minute none has come")
        return _OK

    async def _readyz(self, _: str) -> Answer:
        health = self._health
        if health is None:
            return _failed("not connected to the broker yet")
        return _failed(health.unready) if health.unready else _OK


def _failed(why: str) -> Answer:
    return Answer(503, f"{why}\n".encode())


def _index() -> int:
    """This worker's slot, where Kubernetes tells it."""
    told = os.environ.get(_INDEX, "")
    return int(told) if told.isascii() and told.isdigit() else 0

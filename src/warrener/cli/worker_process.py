"""A worker as a process: it waits for its broker, and hears signals at any time."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warrener.cli.surroundings import stop_signals
from warrener.errors import BrokerUnreachable
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.address import Address
    from warrener.brokers import Broker, Delivery, Outcome
    from warrener.cli.worker_log import WorkerLog
    from warrener.metrics.serving import WorkerMetrics
    from warrener.worker.fork_server import ForkServer
    from warrener.worker.manifest import AppManifest, ChildSettings
    from warrener.worker.supervisor import Supervisor

_log = logging.getLogger("warrener.worker")
_CONNECT_FOR_SECONDS: Final = 30.0
_CONNECT_AGAIN_AFTER_SECONDS: Final = 1.0


class Serving(NamedTuple):
    """Where a worker serves its metrics and probes: this port of an address, or of all addresses without one."""

    port: int
    host: str | None = None


class WorkerProcess:
    """One worker, from its start to its end.

    Args:
        address: The queue.
        settings: What its children run.
        log: Told what it does.
        serving: Where it serves its metrics, if it does.
        options: As `Supervisor` takes them.
    """

    def __init__(
        self,
        address: Address,
        settings: ChildSettings,
        log: WorkerLog,
        serving: Serving | None = None,
        **options: Any,
    ) -> None:
        self._address = address
        self._log = log
        self._serving = serving
        self._metrics: WorkerMetrics | None = None
        self._settings = settings
        self._options = options
        self._supervisor: Supervisor | None = None
        self._stopped: Exit | None = None

    async def run(self) -> Exit:
        """Work until drained or stopped.

        Raises:
            WarrenerError: It cannot work, or the broker is lost for good.
        """
        from warrener.worker.fork_server import ForkServer

        fork_server = ForkServer()
        await fork_server.warm_up()  # while we import what is needed, and connect
        try:
            loop = asyncio.get_running_loop()
            for number in stop_signals():
                loop.add_signal_handler(number, self._stop, Exit.STOPPED)
            loop.add_signal_handler(signal.SIGINT, self._stop, Exit.INTERRUPTED)
            if self._serving:
                self._metrics = await _served(self._address, self._serving)
            return await _connected(
                self._address, lambda broker: self._work(broker, fork_server), lambda: self._stopped
            )
        finally:
            await fork_server.end()
            if self._metrics:
                await self._metrics.close()

    def _stop(self, code: Exit) -> None:
        self._stopped = self._stopped or code
        if self._supervisor:
            self._supervisor.stop(code)

    async def _work(self, broker: Broker, fork_server: ForkServer) -> Exit:
        from warrener.worker.supervisor import Supervisor

        # Before it starts: it may be stopped meanwhile.
        self._supervisor = supervisor = Supervisor(
            broker,
            self._settings,
            fork_server=fork_server,
            on_settled=self._on_settled,
            **self._options,
        )
        if self._metrics:
            self._metrics.begin(broker, supervisor.health)
        counting = asyncio.create_task(self._log.keep_counting(supervisor))
        try:
            manifest = await supervisor.start()
            if not supervisor.is_stopping:
                if self._metrics:
                    self._metrics.know(manifest)
                self._log.begin(manifest, supervisor.health.slots)
                if self._options.get("awaits_runs"):
                    # A run that waits for this worker reads it here, as `warrener k8s submit` does.
                    _log.info("its retries need %s", needs(manifest).decode())
            code = await supervisor.run()
            self._log.end(supervisor, code)
            return code
        finally:
            counting.cancel()
            if self._metrics:
                self._metrics.end()
            self._supervisor = None

    def _on_settled(self, delivery: Delivery, outcome: Outcome) -> None:
        self._log.on_settled(delivery, outcome)
        if self._metrics:
            self._metrics.tally.on_settled(delivery, outcome)


async def check_worker(address: Address, settings: ChildSettings) -> bytes:
    """The delays that a worker's retries need, as JSON, once it is certain that it could work.

    The app comes first: it needs no broker, and is what its user can mend.

    Raises:
        AppError: The app cannot be used.
        BrokerError: The broker or the queue cannot.
    """
    from warrener.worker import describe

    app = await describe(settings)

    async def look(broker: Broker) -> Exit:
        await broker.delays([])  # raises what keeps this user from the queue
        return Exit.OK

    await _connected(address, look, lambda: None)
    return needs(app)


async def _served(address: Address, serving: Serving) -> WorkerMetrics:
    from warrener.metrics.serving import WorkerMetrics

    metrics = WorkerMetrics(address.queue)
    port = await metrics.start(serving.host, serving.port)
    where = serving.host or "all addresses of this machine"
    _log.info("serves /metrics, /livez and /readyz on port %d of %s", port, where)
    if metrics.lacks:
        _log.warning("/metrics is empty: %s", metrics.lacks)
    return metrics


def needs(app: AppManifest) -> bytes:
    """The delays that an app's retries need, as JSON."""
    from warrener.codec import encode
    from warrener.retry import delay_schedule

    return encode({"delays": delay_schedule(app.policies)})


async def _connected(
    address: Address, use: Callable[[Broker], Awaitable[Exit]], stopped: Callable[[], Exit | None]
) -> Exit:
    """Connect and use the broker. It may not be there yet, or not again: workers may be started before it."""
    from warrener.brokers import connect

    give_up_at = time.monotonic() + _CONNECT_FOR_SECONDS
    while (code := stopped()) is None:
        try:
            async with connect(address) as broker:
                if stopped() is None:  # while it connected
                    return await use(broker)
        except BrokerUnreachable as error:
            if time.monotonic() > give_up_at:
                raise
            _log.warning("%s; trying again", error)
            await asyncio.sleep(_CONNECT_AGAIN_AFTER_SECONDS)
    return code

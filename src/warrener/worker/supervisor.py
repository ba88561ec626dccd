"""The supervisor: a worker's life from the import of its app to its last outcome.

It runs in one event loop and never imports user code, so nothing a handler does can block the connection. What becomes of
each task is the dispatcher's; when tasks are taken, and how many, the intake's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec.structs import replace

from warrener.errors import AppError, NotReady
from warrener.exit_codes import Exit
from warrener.retry import delay_schedule
from warrener.worker.beating import Beating
from warrener.worker.delays import find_delays
from warrener.worker.dispatcher import Dispatcher
from warrener.worker.drain import Drain
from warrener.worker.health import Health
from warrener.worker.intake import Intake
from warrener.worker.log_keeper import LogKeeper
from warrener.worker.manifest import AppManifest
from warrener.worker.obedience import Obedience
from warrener.worker.outcomes import Outcomes
from warrener.worker.pool import TICK, Pool
from warrener.worker.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from warrener.brokers import Broker
    from warrener.worker.events import OnSettled
    from warrener.worker.fork_server import ForkServer
    from warrener.worker.manifest import ChildSettings

T = TypeVar("T")

_log = logging.getLogger("warrener.worker")

# Seconds that what is on its way when a worker stops, and the broker's answer, get at least.
_FAREWELL: Final = 5.0


class Supervisor:
    """One worker.

    Args:
        broker: An open broker.
        settings: What the children run.
        processes: How many children.
        drain: End when no work is left, instead of waiting for more.
        grace: Seconds that running tasks get to finish after a stop.
        max_tasks: See `Pool`.
        max_memory: See `Pool`.
        fork_server: See `Pool`.
        keeps_output: Keep what attempts print, too; the queue must (`Admin.keep_output`).
        is_complete: Another proof that all is done, which makes a second look unnecessary.
        may_leave: Asked in the end whether whoever waits for this worker can do without it.
        on_settled: Told of each outcome.
        awaits_runs: Whether a worker that drains stays while a run publishes on its queue.
    """

    def __init__(
        self,
        broker: Broker,
        settings: ChildSettings,
        *,
        processes: int,
        drain: bool = False,
        grace: float = 25.0,
        max_tasks: int | None = None,
        max_memory: int | None = None,
        fork_server: ForkServer | None = None,
        keeps_output: bool = False,
        is_complete: Callable[[], bool] = lambda: False,
        may_leave: Callable[[], Awaitable[bool]] | None = None,
        on_settled: OnSettled | None = None,
        awaits_runs: bool = False,
    ) -> None:
        self._broker = broker
        self._drains = drain
        self._grace = grace
        self._is_complete = is_complete
        self._keeper = LogKeeper(broker) if keeps_output else None
        self._pool = Pool(
            replace(settings, max_result=broker.max_body, system=broker.system, queue=broker.queue),
            processes=processes,
            max_tasks=max_tasks,
            max_memory=max_memory,
            patience=max(_FAREWELL, grace),
            fork_server=fork_server,
            keeper=self._keeper,
        )
        self._intake = Intake(broker, self._pool, self._enforce)
        self._runs = Runs(broker) if awaits_runs else None
        proofs = (self._is_idle, self._is_proven_complete, self._is_cancelled)
        self._drain = Drain(broker, *proofs, may_leave=may_leave, runs=self._runs)
        self._dispatcher = Dispatcher(
            broker,
            self._pool,
            on_change=self._intake.look,
            on_report=self._intake.on_report,
            on_cut=self._drain.begin_anew,
            on_settled=on_settled,
        )
        self.obedience = Obedience(broker, self._pool, self._dispatcher, self._intake.look)
        self._beating = Beating(broker, self._pool, self._dispatcher)
        self.health = Health(broker, self._pool, self._dispatcher, self._intake)
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._stop_code = Exit.STOPPED

    async def start(self) -> AppManifest:
        """Import the app and start the children. A stop ends this, too, and what it returns then is nothing.

        The broker need not be there for that.

        Raises:
            AppError: The app cannot be used.
        """
        manifest = await self._unless_stopped(self._pool.start())
        if manifest is None:
            await self._pool.stop()
            return AppManifest()
        for warning in manifest.warnings:
            _log.warning("%s", warning)
        return manifest

    async def close(self) -> None:
        """End the children of a worker that does not run."""
        await self._pool.stop()

    async def run(self) -> Exit:
        """Work until drained or stopped. The children are gone when it returns.

        Raises:
            AppError: What the app needs before its first task can never be had; nothing was lost, no attempt is counted.
            NotReady: It could not for too long; the same.
            BrokerError: The broker is lost for good, or the queue is missing.
            WarrenerError: The children were killed and cannot be replaced.
        """
        beating = asyncio.create_task(self._beating.tell())
        try:
            delays = await self._unless_stopped(self._find_delays())  # a broker in alarm may take its time
            if delays is None or self._stop.is_set():
                return self._stop_code
            self._dispatcher.outcomes = Outcomes(lambda: self._pool.manifest, delays, self._broker)
            try:
                is_drained = await self._work()
                while is_drained and await self._holds_more():
                    is_drained = await self._work()
            except (AppError, NotReady):
                self._dispatcher.is_stopping = True
                await self._wind_down()
                raise
            if is_drained:
                await self._unless_stopped(self._pool.leave(max(_FAREWELL, self._grace)))
            else:
                await self._wind_down()
        finally:
            beating.cancel()
            await self._pool.stop()
            if self._runs:
                await self._runs.close()
            if self._keeper:
                await self._keeper.close(_FAREWELL)
        return Exit.DRAINED if is_drained else self._stop_code

    def stop(self, code: Exit = Exit.STOPPED) -> None:
        """Take nothing more, finish what fits in the grace, requeue the rest. A second call: at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop_code = code
        self._dispatcher.is_stopping = True
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.is_set()

    @property
    def held(self) -> int:
        """How many tasks are in this worker's hands."""
        return self._dispatcher.held

    @property
    def settled(self) -> dict[str, int]:
        """How many tasks have ended here, by the kind of outcome: `completed`, `delayed`, `failed`."""
        return self._dispatcher.settled

    def expect_more(self, *, is_so: bool) -> None:
        """Whether more is being published, so that an empty queue is no end."""
        self._drain.expects_more = is_so

    # --- from start to end

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do the work, and end it when a stop is asked for, which is None."""
        working = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            stop.cancel()
            working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return None

    async def _find_delays(self) -> Sequence[int]:
        if self._keeper:
            await self._broker.keep_output()
        return await find_delays(self._broker, delay_schedule(self._pool.manifest.policies), self._runs)

    async def _work(self) -> bool:
        """Until the queue is drained (true) or a stop is asked for (false)."""
        drained = asyncio.create_task(self._wait_drained() if self._drains else asyncio.Event().wait())
        tasks = {
            drained,
            asyncio.create_task(self._broker.wait_lost()),
            asyncio.create_task(self._stop.wait()),
            asyncio.create_task(self._pool.wait_lost()),
            asyncio.create_task(self.obedience.follow()),
            asyncio.create_task(self._take_tasks()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # raises what ended it
            return drained in done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _holds_more(self) -> bool:
        """Whether something came at the moment of leaving, and is not settled: it would be counted as lost with this worker."""
        await self._unless_stopped(self._broker.pause())
        return not self._is_idle()

    async def _wait_drained(self) -> None:
        await self._pool.have_begun()  # whether it could work is said even where there is nothing to do
        await self._drain.wait()

    async def _take_tasks(self) -> None:
        await self.obedience.have_heard()
        await self._pool.have_begun()
        await self._intake.begin(self._dispatcher)
        await self._intake.steer()

    async def _wind_down(self) -> None:
        end = time.monotonic() + self._grace
        with suppress(TimeoutError):  # a broker in alarm does not hear us; what it sends is requeued
            async with asyncio.timeout(_FAREWELL):
                await self._broker.pause()
        # Not before: what is requeued to a queue that we consume from comes again at once.
        self._dispatcher.takes_nothing = True
        self._dispatcher.requeue_waiting()
        self._pool.tell_stop()
        if self._pool.held:
            _log.warning("stopping: what runs (%d) may finish within %.0f s", self._pool.held, self._grace)
        while (
            (self._pool.held or self._broker.unsettled)
            and time.monotonic() < end
            and not self._stop_now.is_set()
        ):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._stop_now.wait()
        if not self._stop_now.is_set():
            await self._pool.leave(end - time.monotonic())
        await self._pool.stop()
        self._dispatcher.requeue(self._pool.unfinished)
        try:
            async with asyncio.timeout(max(_FAREWELL, end - time.monotonic())):
                await self._broker.settled()
        except TimeoutError:
            _log.warning(
                "outcomes that the broker did not take: %d; those tasks run again", self._broker.unsettled
            )

    def _is_idle(self) -> bool:
        return not self._dispatcher.held and not self._broker.unsettled

    def _enforce(self) -> None:
        self.obedience.enforce()

    def _is_cancelled(self) -> bool:
        return self.obedience.is_cancelled and self._dispatcher.takes_nothing

    def _is_proven_complete(self) -> bool:
        # Once something was lost on its way a task may have two rows, and their number proves nothing.
        return self._is_complete() and not self._dispatcher.has_seen_loss

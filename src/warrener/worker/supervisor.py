"""The supervisor: takes deliveries, hands them to children, settles what came of them.

It runs in one event loop and never imports user code, so nothing a handler does can block the connection.

    broker --on_delivery--> backlog --submit--> pool --on_report--> settle --> broker
                               ^                  |
                               `---on_returned----'
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers.protocol import DELIVERY_LIMIT, Completed, Delayed, Failed
from warrener.codec import decode_record, open_envelope
from warrener.errors import AccessRefused, InvalidTask
from warrener.exit_codes import Exit
from warrener.models import Attempt, Record
from warrener.retry import delay_schedule
from warrener.worker.frames import ANY_TYPE, Hello
from warrener.worker.outcomes import Outcomes, refused
from warrener.worker.pool import TICK, Pool, Run
from warrener.worker.redelivery import Redelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers import Broker, Delivery, Outcome
    from warrener.brokers.protocol import Lost
    from warrener.models import Reason
    from warrener.worker.frames import ChildSettings, Report
    from warrener.worker.nursery import Nursery

_log = logging.getLogger("warrener.worker")

# Tasks shorter than the first are fetched ahead in numbers that cover a round trip; those longer than the second
# are fetched one per slot, so that priorities hold and no worker hoards.
_FAST: Final = 0.02
_SLOW: Final = 0.5
_MOST_PREFETCH: Final = 1000
_ENOUGH: Final = 250
# What is on its way when a worker stops, and the broker's answer, get so long at least, in seconds.
_LAST_WORDS: Final = 5.0


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
        nursery: See `Pool`.
        is_complete: Another proof that all is done, which makes a second look unnecessary.
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
        nursery: Nursery | None = None,
        is_complete: Callable[[], bool] = lambda: False,
    ) -> None:
        self.settled: dict[str, int] = {"completed": 0, "delayed": 0, "failed": 0}
        self.expects_more = False  # while more is being published, an empty queue is no end
        self._broker = broker
        self._drain = drain
        self._grace = grace
        self._is_complete = is_complete
        settings = msgspec.structs.replace(settings, max_result=broker.max_body)
        self._pool = Pool(
            settings,
            self,
            processes=processes,
            max_tasks=max_tasks,
            max_memory=max_memory,
            nursery=nursery,
        )
        self._backlog: deque[Run] = deque()
        self._suspects: deque[Run] = deque()
        self._alone: Run | None = None
        self._redelivery = Redelivery()
        self._attention = asyncio.Event()
        self._key = 0
        self._prefetch = 0
        self._looks = 0
        self._outcomes = Outcomes({}, [], broker)
        self._is_paused = False
        self._has_stopped = False
        self._has_seen_loss = False
        self._submitting: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._stop_code = Exit.STOPPED

    async def start(self) -> Hello:
        """Import the app and start the children. A stop ends this, too, and what it returns then is nothing.

        Raises:
            AppError: The app cannot be used.
        """
        starting = asyncio.create_task(self._pool.start())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                return starting.result()
        finally:
            stop.cancel()
            starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await self._pool.stop()
        return Hello()

    async def close(self) -> None:
        """End the children of a worker that does not run."""
        await self._pool.stop()

    async def run(self) -> Exit:
        """Work until drained or stopped. The children are gone when it returns.

        Raises:
            BrokerError: The broker is lost for good, or the queue is missing.
            WarrenerError: The children were killed and cannot be replaced.
        """
        try:
            if self._stop.is_set():
                return self._stop_code
            delays = await self._look_at_delays()
            self._outcomes = Outcomes(self._pool.hello.handlers, delays, self._broker)
            await self._take_more(self._pool.slots)
            is_drained = await self._work()
            if not is_drained:
                await self._wind_down()
        finally:
            await self._pool.stop()
        return Exit.DRAINED if is_drained else self._stop_code

    def stop(self, code: Exit = Exit.STOPPED) -> None:
        """Take nothing more, finish what fits in the grace, requeue the rest. A second call: at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop_code = code
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.is_set()

    @property
    def held(self) -> int:
        """How many tasks are in this worker's hands."""
        return len(self._backlog) + len(self._suspects) + self._pool.held

    # --- from start to end

    async def _look_at_delays(self) -> Sequence[int]:
        """The delays that retries can have, in milliseconds; those that the app wants are added where that is allowed."""
        wanted = delay_schedule(self._pool.hello.policies)
        delays = await self._broker.delays(wanted)
        missing = sorted(set(wanted) - set(delays))
        if not missing:
            return delays
        try:
            await self._broker.declare(missing)
            return await self._broker.delays(wanted)
        except AccessRefused:  # as it should be on a shared broker
            _log.warning(
                "the queue has no delay of %s; retries wait for the nearest one it has. `warrener setup APP` adds them",
                ", ".join(f"{delay / 1000:g} s" for delay in missing),
            )
            return delays

    async def _work(self) -> bool:
        """Until the queue is drained (true) or a stop is asked for (false)."""
        lost = asyncio.create_task(self._broker.wait_lost())
        stop = asyncio.create_task(self._stop.wait())
        drained = asyncio.create_task(self._until_drained())
        childless = asyncio.create_task(self._pool.wait_lost())
        steering = asyncio.create_task(self._steer())
        tasks = {lost, stop, drained, childless, steering}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # raises what ended it
            return drained in done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_drained(self) -> None:
        if not self._drain:
            await asyncio.Event().wait()
        self._looks = 0
        while self._looks < 2:  # noqa: PLR2004 - one zero is no proof: a broker says 0 as well when its leader is slow
            await self._stay_idle(self._broker.drain_pause if self._looks else 0)
            is_empty = not self.expects_more and self._is_idle and await self._broker.drained()
            if is_empty and self._is_proven_complete:
                return
            self._looks = self._looks + 1 if is_empty and self._is_idle else 0
            if not is_empty:
                await asyncio.sleep(TICK)

    async def _stay_idle(self, seconds: float) -> None:
        """Return after so long without a task, or as soon as there is one."""
        end = time.monotonic() + seconds
        while not self._is_idle:
            await asyncio.sleep(TICK)
            end = time.monotonic() + seconds
        while self._is_idle and time.monotonic() < end and not self._is_proven_complete:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(TICK)

    @property
    def _is_proven_complete(self) -> bool:
        # Once something was lost on its way a task may have two rows, and their number proves nothing.
        return self._is_complete() and not self._has_seen_loss

    @property
    def _is_idle(self) -> bool:
        return not self.held and not self._broker.unsettled

    async def _steer(self) -> None:
        """Keep the prefetch fit for how long tasks take, and let suspects run alone."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._attention.wait()
            self._attention.clear()
            self._redelivery.forget_expired()
            if self._suspects or self._alone:
                await self._attend_suspect()
            elif self._is_paused:
                # Only when the suspect's outcome is safe: until then the next one might take it down.
                await self._broker.settled()
                await self._take_more(1)
            elif self._is_prefetch_unfit:
                await self._take_more(self._wanted_prefetch())

    @property
    def _is_prefetch_unfit(self) -> bool:
        wanted = self._wanted_prefetch()
        return wanted >= self._prefetch * 2 or wanted <= self._prefetch // 2

    def _wanted_prefetch(self) -> int:
        slots, mean = self._pool.slots, self._pool.mean_duration
        if mean > _SLOW:
            return slots
        if mean > _FAST:
            return slots * 2
        return min(_MOST_PREFETCH, max(slots * 2, slots * self._pool.depth * 4))

    async def _take_more(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self._is_paused = False
        await self._broker.consume(self, prefetch)

    async def _wind_down(self) -> None:
        end = time.monotonic() + self._grace
        with suppress(TimeoutError):  # a broker in alarm does not hear us; what it sends is requeued
            async with asyncio.timeout(_LAST_WORDS):
                await self._broker.pause()
        # Not before: what is requeued to a queue that we consume from comes again at once.
        self._has_stopped = True
        self._requeue_waiting()
        if self._pool.held:
            _log.warning("stopping: %d tasks may finish within %.0f s", self._pool.held, self._grace)
        while (
            (self._pool.held or self._broker.unsettled)
            and time.monotonic() < end
            and not self._stop_now.is_set()
        ):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._stop_now.wait()
        await self._pool.stop()
        self._requeue([run for run in self._pool.unfinished if not self._redelivery.is_orphaned(run)])
        try:
            async with asyncio.timeout(max(_LAST_WORDS, end - time.monotonic())):
                await self._broker.settled()
        except TimeoutError:
            _log.warning(
                "outcomes that the broker did not take: %d; those tasks run again", self._broker.unsettled
            )

    # --- suspects: a task that may have killed its worker runs while nothing else is at risk

    async def _attend_suspect(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            await self._broker.pause()
        first = [] if self._alone or not self._suspects else [self._suspects.popleft()]
        self._requeue_waiting()
        self._suspects.extend(first)
        if first and not self._pool.held:
            # What it may take down with the worker must be out of our hands for certain.
            await self._broker.settled()
            if [*self._backlog, *self._suspects] != first:
                return  # something came meanwhile: hand that back first
            self._pool.submit(self._suspects, most=1)
            if not self._suspects:  # otherwise there is no child for it at the moment
                self._alone = first[0]

    def _clear_suspicion(self, run: Run) -> None:
        if run is self._alone:
            self._alone = None
            self._attention.set()

    # --- told by the broker

    def on_delivery(self, delivery: Delivery) -> None:
        """A task has come: find its handler, and put it in line."""
        if delivery.lost and self._is_known(delivery):
            return
        try:
            task = open_envelope(delivery.body, delivery.id, delivery.priority)
        except InvalidTask as error:
            self._reject(delivery, "invalid", str(error))
            return
        rule = self._pool.hello.handlers.get(task.type) or self._pool.hello.handlers.get(ANY_TYPE)
        if rule is None:
            known = ", ".join(sorted(self._pool.hello.handlers))
            self._reject(delivery, "unknown-type", f"no handler for type {task.type!r}; this app has {known}")
            return
        if self._has_stopped:
            self._broker.requeue([delivery])
            return
        record = decode_record(delivery.record) if delivery.record else Record()
        self._has_seen_loss = self._has_seen_loss or delivery.lost > 0
        lost = delivery.lost - delivery.explained
        if lost > 0:
            record = record.add_lost(lost)
            if record.lost > DELIVERY_LIMIT:
                self._settle(delivery, Failed(record.fail("crashed")))
                return
        self._key += 1
        run = Run(self._key, delivery, task, record, rule.timeout)
        if lost > 0 or record.was_lost_last:
            self._suspects.append(run)
            self._attention.set()
            return
        self._backlog.append(run)
        self._submit_soon()

    def on_lost(self, settled: Sequence[Lost]) -> None:
        """The connection is gone: forget what did not start, keep what runs for when it comes back."""
        self._looks = 0
        self._has_seen_loss = True
        waiting = [run.delivery for run in (*self._backlog, *self._suspects)]
        self._redelivery.add_cut(settled, waiting, self._pool.unfinished)
        self._backlog.clear()
        self._suspects.clear()
        self._pool.take_back()

    def _is_known(self, delivery: Delivery) -> bool:
        """Whether this delivery needs no attempt: its task runs on here, or its outcome is known."""
        known = self._redelivery.recall(delivery, self._broker.max_body)
        if known is None:
            return False
        if known.is_confirmed:
            self._broker.acknowledge(delivery)
        elif known.run and known.outcome:
            self._settle(delivery, known.outcome)
        elif known.outcome:  # which was counted when it was settled first
            self._broker.settle(delivery, known.outcome)
        elif known.run:
            known.run.delivery = delivery
        return True

    def _submit_soon(self) -> None:
        # Once for all that this turn of the loop brings: each message to a child costs as much as a task.
        if self._submitting is None:
            self._submitting = self._loop.call_soon(self._submit)

    def _submit(self) -> None:
        self._submitting = None
        if not self._suspects and not self._alone and not self._stop.is_set():
            self._pool.submit(self._backlog)

    # --- told by the pool

    def on_report(self, run: Run, report: Report, worker: str) -> None:
        """A handler has ended: settle."""
        self._clear_suspicion(run)
        self._finish(run, self._outcomes.of_report(run.task, run.record, report, worker))
        if self._backlog:
            self._submit_soon()
        if self._prefetch < _ENOUGH and self._is_prefetch_unfit:
            self._attention.set()  # at the start each look makes it a few times faster

    def on_returned(self, runs: Sequence[Run]) -> None:
        """These did not run: they go first when there is room."""
        for run in reversed(runs):
            was_alone = run is self._alone
            self._clear_suspicion(run)
            if self._redelivery.is_orphaned(run):
                self._redelivery.abandon(run)
            elif was_alone:
                self._suspects.appendleft(run)
            else:
                self._backlog.appendleft(run)
        if self._has_stopped:
            self._requeue_waiting()
        self._submit()

    def on_crashed(self, runs: Sequence[Run], how: str, worker: str) -> None:
        """A child died: of one task running in it we know, of several each must be tried alone."""
        if len(runs) > 1:
            self._suspect(runs)
            return
        (run,) = runs
        self._clear_suspicion(run)
        self._fail(run, self._attempt(run, "Crashed", how, worker), "crashed")
        self._submit()

    def on_orphaned(self, runs: Sequence[Run]) -> None:
        """The children were killed from outside, or by what one of them ran: each must be tried alone."""
        if self._alone and self._alone in runs:
            self.on_crashed(runs, "the process that its own process comes from was killed", "")
        else:
            self._suspect(runs)

    def _suspect(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if self._redelivery.is_orphaned(run):
                self._redelivery.abandon(run)
            else:
                self._suspects.append(run)
        self._attention.set()

    def on_timed_out(self, run: Run, worker: str) -> None:
        """An attempt was killed at its time limit."""
        self._clear_suspicion(run)
        message = f"killed at its time limit of {run.timeout:g} s"
        self._fail(run, self._attempt(run, "TimedOut", message, worker), "timed-out")

    # --- what becomes of a task

    def _attempt(self, run: Run, error: str, message: str, worker: str) -> Attempt:
        duration = time.monotonic() - run.started
        return Attempt(run.record.attempts + 1, error, message, worker, time.time() - duration, duration)

    def _fail(self, run: Run, attempt: Attempt, reason: Reason) -> None:
        self._finish(run, self._outcomes.of_failure(run.task, run.record, attempt, reason))

    def _finish(self, run: Run, outcome: Outcome) -> None:
        if self._redelivery.is_orphaned(run):
            self._redelivery.end(run, outcome)  # for when its delivery comes back
        else:
            self._settle(run.delivery, outcome)

    def _reject(self, delivery: Delivery, reason: Reason, message: str) -> None:
        self._settle(delivery, refused(decode_record(delivery.record), reason, message))

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self.settled[_KINDS[type(outcome)]] += 1
        self._broker.settle(delivery, outcome)

    def _requeue_waiting(self) -> None:
        self._requeue([*self._backlog, *self._suspects])
        self._backlog.clear()
        self._suspects.clear()
        self._pool.take_back()

    def _requeue(self, runs: Sequence[Run]) -> None:
        if runs:
            self._broker.requeue([run.delivery for run in runs])


_KINDS: Final[dict[type, str]] = {Completed: "completed", Delayed: "delayed", Failed: "failed"}

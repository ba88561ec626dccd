"""A batch at work, in an event loop in a thread of its own: what the blocking and the async face share."""

from __future__ import annotations

import asyncio
import time
import warnings
from typing import TYPE_CHECKING, Final

from warrener.api.order import Order
from warrener.api.progress import shown
from warrener.api.rows import Rows
from warrener.brokers import connect
from warrener.errors import BrokerError, QueueTaken, TasksFailed, UsageError
from warrener.exit_codes import Exit
from warrener.local_run import Run
from warrener.loop_thread import LoopThread
from warrener.orders import Cancelled, give
from warrener.provenance import who
from warrener.published import mark_of_task

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Future
    from typing import Any

    from warrener.batch import Batch
    from warrener.local_run import Ended, Plan
    from warrener.models import Failure
    from warrener.monitor import Status
    from warrener.sources import Line
    from warrener.worker.manifest import AppManifest


_WAYS_OUT: Final = (
    "take another one with queue='NAME'",
    "add to this one with share=True",
    "start over with fresh=True, which drops all that is on it",
)


class Work:
    """One batch from its begin to its end. Its coroutines are for `start`; all else may be used from any thread.

    Args:
        plan: What is run, and how.
        tasks: The tasks, once it is known what is in the app.
        shows_progress: Whether to show how far it is, where somebody looks.
    """

    def __init__(
        self, plan: Plan, tasks: Callable[[AppManifest], Iterator[Line]], *, shows_progress: bool
    ) -> None:
        self.rows = Rows()
        self.address = plan.address
        self.ended: Ended | None = None
        """How it ended; None before, or where an error ended it."""
        self.order = Order()
        """The tasks that were read so far, in the order in which they were given."""
        self._app = plan.settings.app
        self._given = tasks
        self._loop: LoopThread | None = None
        self._batch: Batch | None = None
        self._last: Status | None = None
        self._has_begun = asyncio.Event()
        self._ending: Future[None] | None = None
        self._run = Run(plan, on_status=self._on_status, on_begun=self._on_begun)
        self._show = shown(shows_progress)
        self._stops = 0
        self._has_warned = False
        self._is_cancelled_here = False
        self._raised: BaseException | None = None  # what the tasks raised, where it would end an event loop

    def begin(self) -> Future[None]:
        """Start; what is returned is done when the queue is this batch's, or raises why it is not."""
        if self._loop:
            raise UsageError(
                "a batch is run once: call warrener.run or warrener.map again, and it goes on where it was"
            )
        self._loop = LoopThread().__enter__()
        self._ending = self._loop.start(self._work())
        return self._loop.start(self._has_begun_or_ended())

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._ending is not None and not self._ending.done()

    @property
    def ending(self) -> Future[None]:
        """Done when it has ended; raises what ended it, or that it has not begun."""
        if self._ending is None:
            raise _not_begun()
        return self._ending

    def start(self, main: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Begin one of the coroutines below, as long as the block is not left."""
        assert self._loop  # noqa: S101 - it has begun
        return self._loop.start(main)

    @property
    def is_open(self) -> bool:
        """Whether the loop is there."""
        return self._loop is not None

    def stop(self) -> None:
        """Stop cleanly: what runs may finish within the grace. A second call stops at once."""
        if self._loop:
            self._loop.start(self._stop())

    def close(self) -> None:
        """End the loop, once all has ended."""
        if self._loop:
            self._loop.__exit__()

    def check(self) -> None:
        """Raise what ended it, if that was an error."""
        self.ending.result()
        if self._raised:
            raise self._raised
        ended = self.ended
        if ended and ended.were_done and ended.is_app_changed and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"{ended.were_done:,} of these tasks had ended before, with an earlier version of {self._app}: "
                "fresh=True runs all of them again",
                stacklevel=3,
            )

    def tell(self) -> None:
        """Tell of failures that nobody has asked about.

        Raises:
            TasksFailed: There are some.
        """
        summary = self.ended and self.ended.summary
        if not summary or not (summary.failed or summary.cancelled or summary.missing):
            return
        if self._is_cancelled_here and not summary.failed:
            return
        total = summary.completed + summary.failed + summary.cancelled + (summary.missing or 0)
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(summary.by_reason.items()))
        missing = f"{summary.missing:,} missing" if summary.missing else ""
        failed = f"{summary.failed:,} failed ({reasons})" if summary.failed else ""
        cancelled = f"{summary.cancelled:,} cancelled" if summary.cancelled else ""
        raise TasksFailed(
            f"of {total:,} task{'' if total == 1 else 's'} "
            f"{' and '.join(filter(None, (failed, cancelled, missing)))}; the rows of all others are there, and the failures in "
            f"`batch.failures()` and in `warrener failures list{self.address.flags()}`",
            summary.failed,
            summary.cancelled + (summary.missing or 0),
        )

    # --- in the loop

    async def status(self) -> Status:
        """How far it is.

        Raises:
            UsageError: It has not begun.
            BrokerUnreachable: Nobody knows at the moment.
        """
        if self._loop is None:
            raise _not_begun()
        if self._batch and not self.rows.has_ended:
            self._last = await self._batch.look()
        if self._last is None:
            raise BrokerError("nobody has looked at this batch yet: it ended before")
        return self._last

    async def failures(self) -> list[Failure]:
        """Those of its tasks that failed so far.

        Raises:
            UsageError: It has not begun.
            BrokerError: The broker is lost.
        """
        if self._loop is None:
            raise _not_begun()
        if self._batch is None:
            return []
        async with connect(self.address) as broker:
            return [found async for found in self._batch.failures(broker)]

    async def cancel(self, *, running: bool) -> None:
        """Cancel the queue: an order to all of its workers.

        Raises:
            AccessRefused: This user may give none.
            BrokerError: The broker is lost.
        """
        async with connect(self.address) as broker:
            await give(broker, Cancelled(who(), time.time(), running=running))
        self._is_cancelled_here = True

    async def _stop(self) -> None:
        self._stops += 1
        self._run.stop(Exit.INTERRUPTED)
        if self._stops > 2 and self._ending:  # noqa: PLR2004 - the second stop was at once, and something hangs
            self._ending.cancel()

    async def _work(self) -> None:
        try:
            with self._show:
                self.ended = await self._run.run(self._tasks, self.rows)
        except QueueTaken as taken:
            raise QueueTaken(taken.fact, *_WAYS_OUT) from None
        except _Carried as carried:
            self._raised = carried.error
        finally:
            self.rows.end()
            self._has_begun.set()

    async def _has_begun_or_ended(self) -> None:
        await self._has_begun.wait()
        if self.rows.has_ended and self._ending:
            await asyncio.wrap_future(self._ending)

    def _tasks(self, manifest: AppManifest) -> Iterator[Line]:
        """The tasks, remembering their order; what is wrong with the app is said at once."""
        lines = self._given(manifest)

        def remembered() -> Iterator[Line]:
            try:
                for line in lines:
                    self.order.add(mark_of_task(line.task.id, line.task.wording))
                    yield line
            except (KeyboardInterrupt, SystemExit) as error:
                raise _Carried(error) from error

        return remembered()

    def _on_begun(self, batch: Batch) -> None:
        self._batch = batch
        self._has_begun.set()

    def _on_status(self, status: Status, blocked_reason: str | None) -> None:
        self._last = status
        hold = status.hold
        self._show.show(status, f"{hold.what} by {hold.by}" if hold else blocked_reason)


class _Carried(Exception):  # noqa: N818 - it is caught here
    """Carries through an event loop what would end it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def _not_begun() -> UsageError:
    return UsageError("this batch has not begun: enter it with `with`, or loop over its rows")

"""A batch as a program has it: with `with` and `for`, blocking; with `async with` and `async for` it is an `AsyncBatch`."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from warrener.api.async_batch import AsyncBatch
from warrener.api.frame import frame, pandas
from warrener.api.order import InOrder
from warrener.loop_thread import LoopThread, wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from warrener.api.rows import Result
    from warrener.api.work import Work
    from warrener.models import Failure
    from warrener.monitor import Status
    from warrener.rows import Summary


class Batch:
    """A batch that runs here. `warrener.run` and `warrener.map` make one; it begins with the block, or with the first row.

    ```python
    with warrener.map(resize, files) as batch:
        for row in batch:
            print(row.origin, row.value)
        bad = batch.failures()
    ```

    - Leaving the block waits until each task has ended. A loop over the rows that was left early, an exception or Ctrl-C
      stops the batch instead: what runs gets 25 s to finish (a second Ctrl-C: none), and the same call goes on later.
    - Where tasks failed, leaving the block raises `TasksFailed`, unless `failures` or `summary` was asked for: then you know.
    - Without a block, `for row in warrener.map(resize, files)` does the same by itself.

    Rows lie in a temporary file: each loop over the batch begins at the first row, also after the block.

    Raises:
        UsageError: On entering the block: the app cannot be used, the queue is another batch's, the address is wrong.
        InvalidTask: From any method that waits: something that was given is no valid task. Those before it are published.
        BrokerError: From any method: the broker is lost, or refuses something.
        TasksFailed: On leaving the block, as above.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open_loops = 0
        self._is_left_early = False
        self._knows = False

    def __enter__(self) -> Self:
        begun = self._work.begin()
        try:
            begun.result()
        except BaseException:
            self._end(stop=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_early = kind is not None or self._open_loops > 0 or self._is_left_early
        self._end(stop=is_early)
        if kind is None:
            self._work.check()
            if not self._knows:
                self._work.tell()

    def __del__(self) -> None:
        if not self._work.is_open:
            warnings.warn(
                "this batch was made and never run: enter it with `with`, or loop over its rows",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )

    async def __aenter__(self) -> AsyncBatch:
        self._async = AsyncBatch(self._work)
        await self._async.begin()
        return self._async

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._async.leave(is_early=kind is not None)

    def __iter__(self) -> Iterator[Result]:
        """Each row as it comes; at the end every task has ended."""
        return self._looped(self._rows())

    def __aiter__(self) -> AsyncIterator[Result]:
        """The same in an event loop, without a block."""
        return self._alone()

    def ordered(self) -> Iterator[Result]:
        """The rows in the order in which the tasks were given, each as soon as all before it have ended.

        A failed task has no row, and whether it has failed is known for certain only at the end: rows after it wait so long.
        """
        return self._looped(self._rows_in_order())

    def wait(self) -> None:
        """Wait until each task has ended; Ctrl-C meanwhile stops the batch when the block is left."""
        self._work.ending.result()
        self._work.check()

    def status(self) -> Status:
        """How far it is: counts by state, rate and ETA. After its end, how it was."""
        found: Status = self._call(self._work.status())
        return found

    def failures(self) -> list[Failure]:
        """The tasks that failed so far, each with the history of its attempts. Where somebody retries them, they may complete."""
        self._knows = True
        found: list[Failure] = self._call(self._work.failures())
        return found

    @property
    def summary(self) -> Summary | None:
        """How many have completed, failed and are missing, once it has ended; None before, and where it was stopped."""
        self._knows = True
        return self._work.ended.summary if self._work.ended else None

    def cancel(self, *, running: bool = False) -> None:
        """Have all workers of the queue, wherever they are, take nothing more; what runs ends. `warrener cancel` does the same.

        What has not ended stays on the queue, is told as cancelled in `summary`, and goes on with the same call of `run` or
        `map`, or with `warrener resume`. It does not wait for the end; loops over the rows do. A batch that has ended is left
        alone.

        Args:
            running: Kill what runs, too, at no attempt.

        Raises:
            AccessRefused: The broker's user may give no orders. Leaving the block early stops at least this worker.
            BrokerError: The broker is lost.
        """
        if self._work.is_running:
            self._call(self._work.cancel(running=running))

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`, in the order in which the tasks were given, once each task has ended.

        Raises:
            UsageError: pandas is not installed.
        """
        pandas()  # before the batch runs for it
        return frame(list(self.ordered()))

    # --- waiting

    def _looped(self, rows: Iterator[Result]) -> Iterator[Result]:
        if not self._work.is_open:
            with self:
                yield from self._counted(rows)
        else:
            yield from self._counted(rows)

    async def _alone(self) -> AsyncIterator[Result]:
        async with self as batch:
            async for row in batch:
                yield row

    def _counted(self, rows: Iterator[Result]) -> Iterator[Result]:
        self._open_loops += 1
        try:
            yield from rows
        except GeneratorExit:
            self._is_left_early = True
            raise
        finally:
            self._open_loops -= 1
        self._is_left_early = False

    def _rows(self) -> Iterator[Result]:
        rows, position = self._work.rows, 0
        while True:
            self._wait_for_more(position)
            found = rows.read(position)
            if not found:
                self.wait()
                return
            for following, row in found:
                position = following
                yield row

    def _rows_in_order(self) -> Iterator[Result]:
        order = InOrder(self._work)
        while not order.is_done:
            self._wait_for_more(order.position)
            yield from order.next_rows()
        self.wait()

    def _wait_for_more(self, position: int) -> None:
        if self._work.rows.size <= position and not self._work.rows.has_ended:
            wait_for(self._work.start(self._work.rows.more(position)))

    def _call(self, main: Coroutine[Any, Any, Any]) -> Any:
        if self._work.is_running:
            return wait_for(self._work.start(main))
        with LoopThread() as loop:  # also after the block
            return loop.run(main)

    def _end(self, *, stop: bool) -> None:
        """Wait for the end; Ctrl-C makes it come sooner, and is raised then, once."""
        interrupted: KeyboardInterrupt | None = None
        if stop:
            self._work.stop()
        while self._work.is_running:
            try:
                with suppress(Exception):  # raised by `check`
                    self._work.ending.result()
            except KeyboardInterrupt as error:
                interrupted = error
                self._work.stop()
        self._work.close()
        if interrupted and not stop:
            raise interrupted

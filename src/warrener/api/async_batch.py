"""A batch in an event loop, which it never blocks: it works in a thread of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from warrener.api.frame import frame, pandas
from warrener.api.order import InOrder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine

    from warrener.api.rows import Result
    from warrener.api.work import Work
    from warrener.models import Failure
    from warrener.monitor import Status
    from warrener.rows import Summary


class AsyncBatch:
    """What `async with` gives of a `Batch`; all that is said there holds here, too. A cancellation is like an exception.

    ```python
    async with warrener.map(resize, files) as batch:
        async for row in batch:
            print(row.origin, row.value)
        bad = await batch.failures()
    ```
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open_loops = 0
        self._is_left_early = False
        self._knows = False

    async def begin(self) -> None:
        """What entering the block does."""
        begun = self._work.begin()
        try:
            await asyncio.wrap_future(begun)
        except BaseException:
            await self._end(stop=True)
            raise

    async def leave(self, *, is_early: bool) -> None:
        """What leaving the block does."""
        await self._end(stop=is_early or self._open_loops > 0 or self._is_left_early)
        if not is_early:
            self._work.check()
            if not self._knows:
                self._work.tell()

    def __aiter__(self) -> AsyncIterator[Result]:
        """Each row as it comes; at the end every task has ended."""
        return self._counted(self._rows())

    def ordered(self) -> AsyncIterator[Result]:
        """See `Batch.ordered`."""
        return self._counted(self._rows_in_order())

    async def wait(self) -> None:
        """Wait until each task has ended. A cancellation ends the waiting alone."""
        await asyncio.shield(asyncio.wrap_future(self._work.ending))
        self._work.check()

    async def status(self) -> Status:
        """See `Batch.status`."""
        found: Status = await self._call(self._work.status())
        return found

    async def failures(self) -> list[Failure]:
        """See `Batch.failures`."""
        self._knows = True
        found: list[Failure] = await self._call(self._work.failures())
        return found

    @property
    def summary(self) -> Summary | None:
        """See `Batch.summary`."""
        self._knows = True
        return self._work.ended.summary if self._work.ended else None

    async def cancel(self, *, running: bool = False) -> None:
        """See `Batch.cancel`."""
        if self._work.is_running:
            await self._call(self._work.cancel(running=running))

    async def to_pandas(self) -> Any:
        """See `Batch.to_pandas`."""
        pandas()
        return frame([row async for row in self.ordered()])

    # --- waiting

    async def _counted(self, rows: AsyncGenerator[Result]) -> AsyncGenerator[Result]:
        self._open_loops += 1
        try:
            async with aclosing(rows):
                async for row in rows:
                    yield row
        except GeneratorExit:
            self._is_left_early = True
            raise
        finally:
            self._open_loops -= 1
        self._is_left_early = False

    async def _rows(self) -> AsyncGenerator[Result]:
        rows, position = self._work.rows, 0
        while True:
            await self._have_more(position)
            found = rows.read(position)
            if not found:
                await self.wait()
                return
            for following, row in found:
                position = following
                yield row

    async def _rows_in_order(self) -> AsyncGenerator[Result]:
        order = InOrder(self._work)
        while not order.is_done:
            await self._have_more(order.position)
            for row in order.next_rows():
                yield row
        await self.wait()

    async def _have_more(self, position: int) -> None:
        if self._work.rows.size <= position and not self._work.rows.has_ended:
            await asyncio.wrap_future(self._work.start(self._work.rows.more(position)))

    async def _call(self, main: Coroutine[Any, Any, Any]) -> Any:
        if self._work.is_running:
            return await asyncio.wrap_future(self._work.start(main))
        return await main  # the block is left, and the broker is opened here

    async def _end(self, *, stop: bool) -> None:
        """Wait for the end; a cancellation makes it come sooner, and is raised then."""
        cancelled: asyncio.CancelledError | None = None
        if stop:
            self._work.stop()
        while self._work.is_running:
            try:
                with suppress(Exception):  # raised by `check`
                    await asyncio.shield(asyncio.wrap_future(self._work.ending))
            except asyncio.CancelledError as error:
                cancelled = error
                self._work.stop()
        self._work.close()
        if cancelled:
            raise cancelled

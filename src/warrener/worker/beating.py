"""Telling whoever looks what this worker does; it holds up nothing, whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.beats import EVERY, MOST_RUNNING, Beat, Running, write
from warrener.models import MAX_NAME_BYTES
from warrener.text import cut
from warrener.version import VERSION

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.worker.dispatcher import Dispatcher
    from warrener.worker.pool import Pool, RunningAttempt

# Seconds: what has run for longer is asked how far it is, and has so long to answer.
_LONG: Final = 0.5
_ANSWER_WITHIN: Final = 0.1
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Beating:
    """The beats of one worker.

    Args:
        broker: An open broker.
        pool: What runs.
        dispatcher: What has ended.
    """

    def __init__(self, broker: Broker, pool: Pool, dispatcher: Dispatcher) -> None:
        self._broker = broker
        self._pool = pool
        self._dispatcher = dispatcher
        self._name = cut(f"{socket.gethostname()}:{os.getpid()}", 2 * MAX_NAME_BYTES)
        self._key = uuid4().hex[:8]
        self._began = time.monotonic()

    async def tell(self) -> None:
        """Tell, for ever."""
        while True:
            before = time.monotonic() - _LONG
            for child in self._pool.children:
                child.ask_progress(before)
            await asyncio.sleep(_ANSWER_WITHIN)
            self._broker.beat(write(self._beat(time.monotonic())))
            await asyncio.sleep(EVERY - _ANSWER_WITHIN)

    def _beat(self, now: float) -> Beat:
        running = [attempt for child in self._pool.children for attempt in child.running.values()]
        longest = nsmallest(MOST_RUNNING, running, key=lambda attempt: attempt.started)
        settled = self._dispatcher.settled
        return Beat(
            self._name,
            self._key,
            VERSION,
            self._pool.slots,
            now - self._began,
            tuple(_told(attempt, now) for attempt in longest),
            len(running) - len(longest),
            settled["completed"],
            settled["delayed"],
            settled["failed"],
            _memory([child.pid for child in self._pool.children if child.pid]),
            self._dispatcher.is_held,
            self._dispatcher.is_stopping,
        )


def _told(attempt: RunningAttempt, now: float) -> Running:
    task, (done, total) = attempt.task, attempt.progress or (None, None)
    name, kind = cut(task.id, MAX_NAME_BYTES), cut(task.type, MAX_NAME_BYTES)
    return Running(name, kind, attempt.record.attempts + 1, max(0.0, now - attempt.started), done, total)


def _memory(pids: list[int]) -> int | None:
    """Bytes in RAM, as Linux tells them."""
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        except (OSError, LookupError, ValueError):
            if not Path("/proc/self/statm").exists():
                return None
    return pages * _PAGE

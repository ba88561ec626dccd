"""What attempts print, kept beside the queue: many pieces in a record, which never hold up an outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Log
from warrener.errors import BrokerError, BrokerUnreachable
from warrener.logs import LogPiece, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Broker
    from warrener.worker.pool.attempt import RunningAttempt

_log = logging.getLogger("warrener.worker")

# A record is written when it has so many bytes, or after so many seconds.
_RECORD_BYTES: Final = 64 * 1024
_RECORD_AGE: Final = 0.2
# An attempt that prints more at once has several pieces.
_PIECE_BYTES: Final = 32 * 1024
# So much may wait for the broker; then those who print wait, too.
_MOST_WAITING: Final = 8 * 1024 * 1024
_AGAIN_AFTER: Final = 0.5  # seconds


class LogKeeper:
    """Keeps what attempts of one worker print. What waits here when the worker is killed is lost.

    Args:
        broker: An open broker, whose queue keeps logs.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pieces: list[bytes] = []
        self._size = 0
        self._open: dict[KeptLog, None] = {}  # those with something that is in no piece yet
        self._waiting: list[bytes] = []  # records
        self._waiting_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._is_given_up = False
        self._loop = asyncio.get_running_loop()

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for the broker that whoever prints more should wait."""
        return self._waiting_size > _MOST_WAITING

    def begin(self, attempt: RunningAttempt) -> KeptLog:
        """An attempt has printed something for the first time."""
        return KeptLog(self, attempt.task.id, attempt.record.attempts + 1)

    def note_open(self, log: KeptLog) -> None:
        """There is something of this one."""
        self._open[log] = None
        if self._timer is None:
            self._timer = self._loop.call_later(_RECORD_AGE, self._on_timer)

    def add(self, log: KeptLog, piece: LogPiece) -> None:
        """A piece of this one is whole."""
        self._open.pop(log, None)
        if self._is_given_up:
            return
        encoded = pack(piece)
        self._pieces.append(encoded)
        self._size += len(encoded)
        if self._size >= _RECORD_BYTES:
            self._end_record()

    async def close(self, seconds: float) -> None:
        """Write all that there is, but wait for so long at most."""
        self._on_timer()
        if self._timer:
            self._timer.cancel()
        if self._writing:
            done, _ = await asyncio.wait([self._writing], timeout=seconds)
            if not done:
                self._writing.cancel()
                _log.warning("the last of what tasks have printed is not kept: the broker did not take it")
                await asyncio.gather(self._writing, return_exceptions=True)

    def _on_timer(self) -> None:
        self._timer = None
        for log in [*self._open]:
            log.end_piece()
        self._end_record()

    def _end_record(self) -> None:
        if not self._pieces:
            return
        record, self._pieces, self._size = b"\n".join(self._pieces), [], 0
        self._waiting.append(record)
        self._waiting_size += len(record)
        if self._writing is None or self._writing.done():
            self._writing = self._loop.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            records = self._waiting.copy()
            try:
                await self._note(records)
            except BrokerError as error:
                # What is kept is worth no task: the worker goes on without.
                _log.warning("what tasks print is not kept any more: %s", error)
                self._is_given_up = True
                self._waiting.clear()
                self._waiting_size = 0
                return
            del self._waiting[: len(records)]
            self._waiting_size -= sum(map(len, records))

    async def _note(self, records: Sequence[bytes]) -> None:
        while True:
            with suppress(BrokerUnreachable):  # being mended; who reads leaves out what comes a second time
                await self._broker.note(Log.OUTPUT, records)
                return
            await asyncio.sleep(_AGAIN_AFTER)


class KeptLog:
    """What one attempt prints.

    Args:
        keeper: Where it goes.
        task_id: Its task's.
        attempt: Its number.
    """

    __slots__ = ("_at", "_attempt", "_data", "_keeper", "_task_id")

    def __init__(self, keeper: LogKeeper, task_id: str, attempt: int) -> None:
        self._keeper = keeper
        self._task_id = task_id
        self._attempt = attempt
        self._at = 0.0
        self._data = b""

    def add(self, data: bytes) -> None:
        """More of it has come."""
        if not self._data:
            self._at = time.time()
        self._keeper.note_open(self)
        self._data += data
        if len(self._data) >= _PIECE_BYTES:
            self.end_piece()

    def end_piece(self) -> None:
        """Have the lines that are whole written; of a long one all that there is."""
        end = self._data.rfind(b"\n") + 1
        if not end and len(self._data) >= _PIECE_BYTES:
            end = len(self._data)
        if end:
            self._add(self._data[:end], "")
            self._data = self._data[end:]

    def end(self, outcome: str) -> None:
        """The attempt has ended.

        Args:
            outcome: `completed`, `delayed` or `failed`; empty where it is not counted.
        """
        self._add(self._data, outcome)
        self._data = b""

    def _add(self, data: bytes, outcome: str) -> None:
        self._keeper.add(
            self, LogPiece.of(self._task_id, self._attempt, self._at or time.time(), data, outcome)
        )

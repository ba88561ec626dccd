"""One child process as the supervisor sees it: what it runs, what waits in it, and the socket to it."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.worker.frames import (
    QUESTION,
    RETURN_WAITING,
    FromChild,
    Progress,
    Unpacker,
    WorkBatch,
    WorkItem,
    pack,
)
from warrener.worker.pool.limits import TICK
from warrener.worker.pool.output import ChildOutput
from warrener.worker.waiting import ready_at

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from warrener.worker.pool.attempt import RunningAttempt
    from warrener.worker.printer import Printer

_MOST_UNREAD_CHUNKS: Final = 16
_HOST: Final = socket.gethostname()
_messages: Final[msgspec.msgpack.Decoder[FromChild]] = msgspec.msgpack.Decoder(FromChild)


class ChildProcess:
    """One process, and the socket to it.

    A child takes its work in the order it came: what is in `running` runs, and what is in `waiting` follows.

    Args:
        connection: Our end of the socket.
        pipe: Our end of the pipe that it prints into.
        printer: Shows what it prints.
        slots: How many tasks it runs at a time.
        is_ready: Whether it can take tasks before it says so.
    """

    def __init__(
        self, connection: socket.socket, pipe: int, printer: Printer, slots: int, *, is_ready: bool = True
    ) -> None:
        self.slots = slots
        self.output = ChildOutput(pipe, printer, self._find)
        self.is_ready = is_ready
        self.has_given_up = False  # before it was ready
        self.pid = 0  # until it is forked
        self.running: dict[int, RunningAttempt] = {}
        self.waiting: deque[RunningAttempt] = deque()
        self.done = 0
        self.is_worn = False  # to retire once another one can take its place
        self.is_spent = False  # and is to be given no more until then
        self.is_retiring = False
        self.leaves_until = 0.0  # on the monotonic clock: so long it may put away what it has
        self.is_slow = False  # what runs has run for longer than a tick: nothing should wait behind it
        self.pinged_at: float | None = None
        self.answered_at = 0.0
        self._is_asked = False  # how far its tasks are, and has not answered
        self.overdue: list[RunningAttempt] = []
        self.is_interrupted = False  # to be killed for no fault of anybody's
        self.fault = ""  # why it must be killed, where no time limit says so
        self._connection = connection
        self._unpacker = Unpacker(_messages)
        self._not_sent: list[RunningAttempt] = []
        self._unsent = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_readable: Callable[[ChildProcess], None] | None = None
        self._silent_since: float | None = None  # for as long as nobody takes what it has printed

    @property
    def name(self) -> str:
        """Its host and process, as attempts have it."""
        return f"{_HOST}:{self.pid}"

    @property
    def held(self) -> int:
        """How many tasks it has, running or not."""
        return len(self.running) + len(self.waiting)

    @property
    def attempts(self) -> list[RunningAttempt]:
        """What it has, running or not."""
        return [*self.running.values(), *self.waiting]

    def is_condemned(self, now: float) -> bool:
        """Whether it is to be killed."""
        if self.overdue or self.fault or self.is_interrupted:
            return True
        return self.is_retiring and not self.held and now >= self.leaves_until

    @property
    def takes_work(self) -> bool:
        """Whether it may be given more."""
        return self.is_ready and not (self.is_retiring or self.is_spent)

    def load(self) -> tuple[bool, bool, int]:
        """The lower, the sooner it is to be given more."""
        return not self.takes_work, self.is_slow and self.held >= self.slots, self.held

    def retire(self) -> None:
        """It is to end once it has done what it runs; what waits in it comes back."""
        self.is_retiring = True
        self.ask_back()

    # --- what it runs

    def assign(self, attempt: RunningAttempt, now: float) -> None:
        """It is to run this one, too, from the next `send_work` on."""
        if len(self.running) < self.slots:
            attempt.start(now)
            self.running[attempt.key] = attempt
        else:
            self.waiting.append(attempt)
        self._not_sent.append(attempt)

    def finish(self, key: int, now: float) -> RunningAttempt | None:
        """It has reported this one; None where it runs none of that key."""
        attempt = self.running.pop(key, None)
        if attempt and self.output.has_any:
            attempt.output = self.output.end(key)
        self.is_slow = False
        if self.waiting:
            self._go_on(now)
        return attempt

    def look_whether_slow(self, now: float) -> bool:
        """Whether what runs has run for longer than a tick."""
        oldest = next(iter(self.running.values()), None)
        self.is_slow = oldest is not None and now - oldest.started > TICK
        return self.is_slow

    def ask_progress(self, before: float) -> None:
        """Have it say how far its tasks are, if one began before this; the answer comes when it comes."""
        oldest = next(iter(self.running.values()), None)
        if oldest and oldest.started < before and self.is_ready and not self._is_asked:
            self._is_asked = True
            self.send(QUESTION)

    def note_progress(self, progress: Progress) -> None:
        """It has said how far its tasks are."""
        self._is_asked = False
        for key, reported in progress.reported.items():
            if attempt := self.running.get(key):
                attempt.progress = reported

    def take_back(self, keys: set[int], now: float) -> list[RunningAttempt]:
        """It has returned these."""
        returned = [attempt for attempt in self.attempts if attempt.key in keys]
        self.running = {key: attempt for key, attempt in self.running.items() if key not in keys}
        self.waiting = deque(attempt for attempt in self.waiting if attempt.key not in keys)
        self._go_on(now)  # with what was given after the child was asked to return what waits
        return returned

    def _go_on(self, now: float) -> None:
        while self.waiting and len(self.running) < self.slots:
            following = self.waiting.popleft()
            following.start(now)
            self.running[following.key] = following

    # --- what it prints

    def look_at_output(self, now: float) -> bool:
        """Read what it has printed; false while nobody takes that: then it waits, and its time limits with it."""
        self.output.look()
        if self.output.must_wait:
            self._be_silent(now)
        elif self._silent_since is not None:
            self._silent_since = None
            if self._loop and self._on_readable and self.is_connected:
                self.listen(self._loop, self._on_readable)
        return self._silent_since is None

    def end_output(self) -> list[ChildOutput]:
        """It has ended: read what is left of what it has printed, to the end of each attempt's; what may still have more."""
        self.output.read_rest()
        for attempt in self.running.values():
            attempt.output = self.output.end(attempt.key)
        return [self.output] if self.output.is_open else []

    def _be_silent(self, now: float) -> None:
        if self._silent_since is None:
            if self._loop and self.is_connected:
                self._loop.remove_reader(self._connection)
        else:
            for attempt in self.running.values():
                if attempt.deadline is not None:
                    attempt.deadline += now - self._silent_since
        self._silent_since = now

    def _find(self, key: int) -> RunningAttempt | None:
        return self.running.get(key) or next((found for found in self.waiting if found.key == key), None)

    # --- the socket to it

    def listen(self, loop: asyncio.AbstractEventLoop, on_readable: Callable[[ChildProcess], None]) -> None:
        """Have `on_readable` told whenever there is something to read, until `disconnect`."""
        self._loop, self._on_readable = loop, on_readable
        loop.add_reader(self._connection, on_readable, self)

    def read(self) -> Iterator[FromChild]:
        """What has come. Once its end of the socket is closed, it is retiring: how it ended is for the fork server to say.

        Raises:
            NoFrame: Something else than messages came, after those before it.
        """
        try:
            messages = self._unpacker.receive(self._connection)
        except BlockingIOError:
            return
        except OSError:
            messages = None
        if messages is None:
            if self._loop:
                self._loop.remove_reader(self._connection)
            self.is_retiring = True
            return
        self.output.read()  # what was printed before the reports in this is there, and comes first
        yield from messages

    def unread(self) -> Iterator[None]:
        """Once for each time that it is to be read after its end, but not for ever where others go on writing."""
        with suppress(OSError):
            for _ in range(_MOST_UNREAD_CHUNKS):
                if not self.is_connected or not self._connection.recv(1, socket.MSG_PEEK):
                    return
                yield

    def send_work(self) -> None:
        """Tell it what it was assigned."""
        items = [
            WorkItem(
                attempt.key,
                attempt.task.type,
                attempt.task.id,
                attempt.task.priority or 0,
                bytes(attempt.task.data),
                attempt.record.attempts + 1,
                attempt.delivery.trace,
                ready_at(attempt.delivery) if attempt.delivery.trace else None,
            )
            for attempt in self._not_sent
        ]
        self._not_sent.clear()
        self.send(pack(WorkBatch(items)))

    def ask_back(self) -> None:
        """Have it return what it holds and does not run."""
        if self.waiting:
            self.send(RETURN_WAITING)

    def send(self, frame: bytes) -> None:
        """Send it a frame, as soon as there is room."""
        if self._unsent:
            self._unsent += frame
            return
        try:
            sent = self._connection.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has died; what it held comes back when it is reaped
        if sent < len(frame) and self._loop:
            self._unsent = frame[sent:]
            self._loop.add_writer(self._connection, self._send_rest)

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open on our side."""
        return self._connection.fileno() >= 0

    def disconnect(self) -> None:
        """Close the socket, by which the child ends unless a handler keeps it; harmless when that has happened."""
        if self.is_connected:
            if self._loop:
                self._loop.remove_reader(self._connection)
                self._loop.remove_writer(self._connection)
            self._connection.close()

    def _send_rest(self) -> None:
        frame, self._unsent = self._unsent, b""
        if self._loop:
            self._loop.remove_writer(self._connection)
        self.send(frame)

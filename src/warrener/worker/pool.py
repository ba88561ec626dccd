"""The children as the supervisor sees them: who runs what, who is overdue, who died of what.

The pool never decides what becomes of a task; it tells its owner.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from warrener.errors import AppError, WarrenerError
from warrener.worker.frames import (
    READ,
    Alive,
    ChildSettings,
    Hello,
    NoFrame,
    Order,
    Orders,
    Report,
    Returned,
    Unpacker,
    pack,
)
from warrener.worker.killing import kill_all, name_of
from warrener.worker.nursery import Nursery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Delivery
    from warrener.models import Envelope, Record

_log = logging.getLogger("warrener.worker")

TICK: Final = 0.05
# Enough tasks lie ready in a child to keep it busy for about so long, so that fast tasks do not wait for the
# supervisor's turn; slow ones lie where every child can have them.
READY_SECONDS: Final = 0.05
MOST_READY: Final = 64
# A socket holds less than so many reads, unless somebody else than its child goes on writing.
_LAST_WORDS: Final = 16
# Seconds in which a child that is well answers.
_ROLL_CALL: Final = 1.0
# Seconds until a child that the system did not let be is asked for again.
_FORK_AGAIN: Final = 1.0
_Message = Report | Returned | Alive
_messages: msgspec.msgpack.Decoder[_Message] = msgspec.msgpack.Decoder(_Message)


class Run:
    """One attempt at one task, from its delivery until it is settled."""

    __slots__ = ("deadline", "delivery", "key", "record", "started", "task", "timeout")

    def __init__(
        self, key: int, delivery: Delivery, task: Envelope, record: Record, timeout: float | None
    ) -> None:
        self.key = key
        self.delivery = delivery
        self.task = task
        self.record = record
        self.timeout = timeout
        self.started = 0.0  # on the monotonic clock
        self.deadline: float | None = None

    def start(self, now: float) -> None:
        """It runs from now on."""
        self.started = now
        self.deadline = now + self.timeout if self.timeout else None


class Owner(Protocol):
    """Whom the pool tells what happened."""

    def on_report(self, run: Run, report: Report, worker: str) -> None:
        """A handler has ended."""

    def on_returned(self, runs: Sequence[Run]) -> None:
        """These did not run, through no fault of theirs."""

    def on_crashed(self, runs: Sequence[Run], how: str, worker: str) -> None:
        """A child died while it ran these; of several, nobody knows which one killed it."""

    def on_orphaned(self, runs: Sequence[Run]) -> None:
        """The process that the children come from was killed, and they with it, while they ran these."""

    def on_timed_out(self, run: Run, worker: str) -> None:
        """An attempt was killed at its time limit."""


class _Nobody:
    """The owner of a pool that only tells what an app is."""

    def on_report(self, run: Run, report: Report, worker: str) -> None: ...
    def on_returned(self, runs: Sequence[Run]) -> None: ...
    def on_crashed(self, runs: Sequence[Run], how: str, worker: str) -> None: ...
    def on_orphaned(self, runs: Sequence[Run]) -> None: ...
    def on_timed_out(self, run: Run, worker: str) -> None: ...


class _Child:
    """One process, and the socket to it."""

    def __init__(self, connection: socket.socket, slots: int) -> None:
        self.connection = connection
        self.slots = slots
        self.pid = 0
        self.running: dict[int, Run] = {}
        self.waiting: deque[Run] = deque()
        self.outbox: list[Run] = []
        self.unpacker = Unpacker(_messages)
        self.unsent = b""
        self.done = 0
        self.is_retiring = False
        self.is_slow = False  # what runs has run for longer than a tick: nothing should wait behind it
        self.called_at: float | None = None  # when it was asked whether it is alive
        self.answered_at = 0.0
        self.overdue: list[Run] = []
        self.fault = ""  # why it must be killed, where no time limit says so

    @property
    def held(self) -> int:
        return len(self.running) + len(self.waiting)

    @property
    def is_condemned(self) -> bool:
        return bool(self.overdue or self.fault) or (self.is_retiring and not self.held)

    def give(self, run: Run, now: float) -> None:
        if len(self.running) < self.slots:
            run.start(now)
            self.running[run.key] = run
        else:
            self.waiting.append(run)
        self.outbox.append(run)

    def take(self, key: int, now: float) -> Run | None:
        run = self.running.pop(key, None)
        self.is_slow = False
        self._go_on(now)
        return run

    def give_back(self, keys: set[int], now: float) -> list[Run]:
        returned = [run for run in (*self.running.values(), *self.waiting) if run.key in keys]
        self.running = {key: run for key, run in self.running.items() if key not in keys}
        self.waiting = deque(run for run in self.waiting if run.key not in keys)
        self._go_on(now)  # with what was given after the child was asked to give back
        return returned

    def _go_on(self, now: float) -> None:
        """A child takes its orders in the order they came, so the next ones run now."""
        while self.waiting and len(self.running) < self.slots:
            following = self.waiting.popleft()
            following.start(now)
            self.running[following.key] = following


class Pool:
    """A fixed number of children that run one app.

    Args:
        settings: What the children run.
        owner: Whom to tell.
        processes: How many children.
        max_tasks: A child is replaced after so many tasks; None for never.
        max_memory: A child is replaced after its memory has peaked over so many bytes; None for never.
        nursery: One that is warm already.
    """

    def __init__(
        self,
        settings: ChildSettings,
        owner: Owner | None = None,
        *,
        processes: int,
        max_tasks: int | None = None,
        max_memory: int | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self._settings = settings
        self._nursery = nursery or Nursery()
        self._owner = owner or _Nobody()
        self._processes = processes
        self._max_tasks = max_tasks
        self._max_memory = max_memory
        self._children: list[_Child] = []
        self._forking: deque[_Child] = deque()
        self._mean = 1.0  # seconds per task, of late; slow until shown otherwise
        self._loop = asyncio.get_running_loop()
        self._listening: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._host = socket.gethostname()

    async def start(self) -> Hello:
        """Import the app and start the children.

        Raises:
            AppError: The app cannot be used.
        """
        await self._nursery.start(self._settings)
        self._make_up()
        self._listening = asyncio.create_task(self._listen())
        self._ticking = asyncio.create_task(self._tick())
        return self.hello

    async def stop(self) -> None:
        """Kill every child, whatever it does."""
        self._is_stopping = True
        for task in (self._ticking, self._listening):
            if task:
                task.cancel()
        for child in self._children:
            self._disconnect(child)
        await self._nursery.end()

    async def wait_lost(self) -> None:
        """Wait until no children can be had any more, and raise why; to be cancelled when that is not wanted.

        Raises:
            WarrenerError: The nursery was killed, and the app that did import does not any more.
        """
        if self._listening:
            try:
                await asyncio.shield(self._listening)
            except AppError as error:
                raise WarrenerError(f"the children were killed, and cannot be replaced: {error}") from error

    @property
    def hello(self) -> Hello:
        """What the app is; empty before the start."""
        return self._nursery.hello

    @property
    def slots(self) -> int:
        """How many tasks can run at a time."""
        return self._processes * self.hello.slots

    @property
    def unfinished(self) -> list[Run]:
        """What the children hold, running or waiting."""
        return [run for child in self._children for run in (*child.running.values(), *child.waiting)]

    @property
    def held(self) -> int:
        """How many tasks are in the children, running or not."""
        return sum(child.held for child in self._children)

    @property
    def depth(self) -> int:
        """How many tasks per slot are worth holding in a child, the running one included."""
        return min(MOST_READY, 1 + int(READY_SECONDS / max(self._mean, 1e-6)))

    @property
    def mean_duration(self) -> float:
        """Seconds a task has taken of late."""
        return self._mean

    def submit(self, runs: deque[Run], *, most: int | None = None) -> None:
        """Give tasks to children, from the left, as long as some child has room.

        Args:
            runs: What waits; what is given is taken out.
            most: Give no more than so many.
        """
        now = time.monotonic()
        limit = self.hello.slots * self.depth
        given = 0
        touched = set()
        while runs and given != most:
            child = min(self._children, key=_load, default=None)
            if child is None or child.is_retiring:
                break
            room = (child.slots if child.is_slow else limit) - child.held
            if self._max_tasks is not None:
                room = min(room, self._max_tasks - child.done - child.held)
            if room <= 0:
                break
            share = max(1, min((room + 1) // 2, len(runs) // len(self._children)))
            for _ in range(min(share, len(runs), share if most is None else most - given)):
                child.give(runs.popleft(), now)
                given += 1
            touched.add(child)
        for child in touched:
            self._flush_orders(child)

    def take_back(self) -> None:
        """Ask for the tasks that children hold but do not run; they come by `on_returned`."""
        for child in self._children:
            if child.waiting:
                self._send(child, pack(Orders()))

    # --- the nursery

    def _add_child(self) -> None:
        connection = self._nursery.fork()
        child = _Child(connection, self.hello.slots)
        self._children.append(child)
        self._forking.append(child)
        self._loop.add_reader(connection, self._read, child)

    async def _listen(self) -> None:
        while True:
            async for pid, status in self._nursery.news():
                if not pid:
                    self._put_off(os.strerror(status or 0))
                elif status is None:
                    self._forking.popleft().pid = pid
                else:
                    self._bury(pid, status)
            # The nursery itself was killed, and its children with it: none of their tasks is to blame.
            await self._replace_nursery()

    def _put_off(self, reason: str) -> None:
        """The next child cannot be had at the moment: what it was given is for others."""
        child = self._forking.popleft()
        self._children.remove(child)
        self._disconnect(child)
        _log.warning("the system lets one more process not be (%s); trying again", reason)
        self._loop.call_later(_FORK_AGAIN, self._try_again)
        self._owner.on_returned([*child.running.values(), *child.waiting])

    def _try_again(self) -> None:
        if self._nursery.is_ready:  # another one is followed by its children anyway
            self._make_up()
            self._owner.on_returned([])

    def _make_up(self) -> None:
        """Ask for as many children as there should be."""
        while len(self._children) < self._processes:
            self._add_child()

    async def _replace_nursery(self) -> None:
        orphans, self._children = self._children, []
        self._forking.clear()
        for child in orphans:
            self._disconnect(child)
            if child.pid:
                kill_all(child.pid)
            self._owner.on_orphaned([*child.running.values()])
            self._owner.on_returned([*child.waiting])
        await self._nursery.end()
        await self._nursery.start(self._settings)
        self._make_up()
        self._owner.on_returned([])

    # --- one child

    def _read(self, child: _Child) -> None:
        try:
            data = child.connection.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(child.connection)
            child.is_retiring = True
            return  # how it ended is for the nursery to say
        try:
            for message in child.unpacker.feed(data):
                self._on_message(child, message, time.monotonic())
        except NoFrame:
            child.fault = "it wrote into the socket of the process that ran it"
            child.is_retiring = True
        if child.fault or (child.is_retiring and not child.held):
            self._disconnect(child)

    def _on_message(self, child: _Child, message: _Message, now: float) -> None:
        if isinstance(message, Returned):
            self._owner.on_returned(child.give_back(set(message.keys), now))
        elif isinstance(message, Alive):
            child.called_at, child.answered_at = None, now
        elif run := child.take(message.key, now):
            child.done += 1
            self._mean += (message.duration - self._mean) * 0.1
            self._retire_if_due(child, message)
            self._owner.on_report(run, message, self._name(child))

    def _retire_if_due(self, child: _Child, report: Report) -> None:
        is_worn = self._max_tasks is not None and child.done >= self._max_tasks
        is_fat = self._max_memory is not None and report.peak_memory > self._max_memory
        if (is_worn or is_fat) and not child.is_retiring:
            child.is_retiring = True
            if child.waiting:
                self._send(child, pack(Orders()))

    def _flush_orders(self, child: _Child) -> None:
        orders = [
            Order(run.key, run.task.type, run.task.id, run.task.priority or 0, bytes(run.task.data))
            for run in child.outbox
        ]
        child.outbox.clear()
        self._send(child, pack(Orders(orders)))

    def _send(self, child: _Child, data: bytes) -> None:
        if child.unsent:
            child.unsent += data
            return
        try:
            sent = child.connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has died; what it held comes back when it is buried
        if sent < len(data):
            child.unsent = data[sent:]
            self._loop.add_writer(child.connection, self._send_rest, child)

    def _send_rest(self, child: _Child) -> None:
        data, child.unsent = child.unsent, b""
        self._loop.remove_writer(child.connection)
        self._send(child, data)

    def _disconnect(self, child: _Child) -> None:
        if child.connection.fileno() >= 0:
            self._loop.remove_reader(child.connection)
            self._loop.remove_writer(child.connection)
            child.connection.close()

    def _bury(self, pid: int, status: int) -> None:
        child = next((child for child in self._children if child.pid == pid), None)
        if child is None:
            return
        with suppress(OSError):
            # What it said before it died still counts.
            for _ in range(_LAST_WORDS):
                if child.connection.fileno() < 0 or not _is_readable(child.connection):
                    break
                self._read(child)
        self._children.remove(child)
        self._disconnect(child)
        if not self._is_stopping:
            self._add_child()
        overdue = [run for run in child.overdue if run.key in child.running]
        running = [run for run in child.running.values() if run not in overdue]
        for run in overdue:
            self._owner.on_timed_out(run, self._name(child))
        if running and not child.overdue:  # otherwise it was killed, and for none of these
            self._owner.on_crashed(running, child.fault or _how(status), self._name(child))
            running = []
        self._owner.on_returned([*running, *child.waiting])

    def _name(self, child: _Child) -> str:
        return f"{self._host}:{child.pid}"

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for child in self._children:
                self._watch_limits(child, now)
                if child.is_condemned and child.pid:
                    kill_all(child.pid)
                oldest = next(iter(child.running.values()), None)
                child.is_slow = oldest is not None and now - oldest.started > TICK
                if child.is_slow and child.waiting:
                    self._send(child, pack(Orders()))

    def _watch_limits(self, child: _Child, now: float) -> None:
        overdue = [run for run in child.running.values() if run.deadline is not None and now > run.deadline]
        if not overdue or child.is_condemned:
            return
        # Of several, one may keep the others from running: only in a child that is well each is late by itself.
        if len(child.running) == 1 or child.answered_at > min(run.deadline or now for run in overdue):
            child.overdue = overdue
        elif child.called_at is None:
            child.called_at = now
            self._send(child, pack(Orders(is_roll_call=True)))
        elif now - child.called_at > _ROLL_CALL:
            child.fault = "a time limit had passed, and it did not answer any more"
        child.is_retiring = child.is_retiring or child.is_condemned


def _load(child: _Child) -> tuple[bool, bool, int]:
    return child.is_retiring, child.is_slow and child.held >= child.slots, child.held


def _is_readable(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def _how(status: int) -> str:
    if status >= 0:
        return f"its process ended with exit code {status}"
    hint = ", perhaps for lack of memory" if -status == signal.SIGKILL else ""
    return f"its process was killed by {name_of(-status)}{hint}"

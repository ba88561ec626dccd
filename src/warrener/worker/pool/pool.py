"""A fixed number of children: each is given work, watched, reaped and replaced."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from warrener.errors import AppError, NotReady, WarrenerError
from warrener.worker.fork_messages import Exited, Forked
from warrener.worker.fork_server import ForkServer
from warrener.worker.frames import STOP, Alive, NoFrame, Progress, Ready, Report, Returned, Unready
from warrener.worker.killing import how_ended, kill_all
from warrener.worker.pool.limits import TICK, Wear, watch_time
from warrener.worker.pool.owner import Owner
from warrener.worker.pool.pace import Pace
from warrener.worker.pool.roster import Roster
from warrener.worker.pool.sharing import share_out
from warrener.worker.printer import Printer

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from warrener.worker.frames import FromChild
    from warrener.worker.log_keeper import LogKeeper
    from warrener.worker.manifest import AppManifest, ChildSettings
    from warrener.worker.pool.attempt import RunningAttempt
    from warrener.worker.pool.child import ChildProcess
    from warrener.worker.pool.output import ChildOutput

_START_ENDS_WITHIN: Final = 5.0  # seconds; what still enters its lifespans may never do so


class Pool:
    """A fixed number of children that run one app.

    Args:
        settings: What the children run.
        owner: Whom to tell.
        processes: How many children.
        max_tasks: A child is replaced after so many tasks, or
        max_memory: after its memory has peaked over so many bytes; None for never.
        patience: Seconds in which a child puts away what it has before it ends; where it has anything.
        fork_server: One that is warm already.
        keeper: Keeps what attempts print.
    """

    def __init__(
        self,
        settings: ChildSettings,
        owner: Owner | None = None,
        *,
        processes: int,
        max_tasks: int | None = None,
        max_memory: int | None = None,
        patience: float = 25.0,
        fork_server: ForkServer | None = None,
        keeper: LogKeeper | None = None,
    ) -> None:
        self.owner = owner or Owner()
        self.pace = Pace()
        self._settings = settings
        self._fork_server = fork_server or ForkServer()
        self._processes = processes
        self._wear = Wear(max_tasks, max_memory)
        self._patience = patience
        self._printer = Printer(keeper)
        self._roster = Roster(
            self._fork_server, self._printer, processes, self._on_readable, lambda: self.owner.on_returned([])
        )
        self.children = self._roster.children
        self._left: list[ChildOutput] = []  # of children that are gone, while what they have left may print
        self._loop = asyncio.get_running_loop()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> AppManifest:
        """Import the app and start the children.

        Raises:
            AppError: The app cannot be used.
        """
        await self._fork_server.start(self._settings)
        self._printer.is_shared = self.slots > 1
        self._roster.scale()
        self._background = [asyncio.create_task(self._listen()), asyncio.create_task(self._tick())]
        return self.manifest

    async def have_begun(self) -> None:
        """Wait until a child can take tasks."""
        await self._roster.has_begun.wait()

    async def leave(self, seconds: float) -> None:
        """Let children that run nothing put away what they have, for so long at most; they take nothing more."""
        self._roster.is_closed = True
        if not self.manifest.prepares:
            return
        end = time.monotonic() + seconds
        for child in self.children:
            child.is_retiring = True
            if not child.held:
                self._dismiss(child)
        while any(not child.held for child in self.children) and time.monotonic() < end:  # noqa: ASYNC110 - as they are reaped
            await asyncio.sleep(TICK)

    async def stop(self) -> None:
        """Kill every child, whatever it does."""
        self._roster.is_closed = True
        for task in self._background:
            task.cancel()
        for child in self.children:
            child.disconnect()
        await self._fork_server.end([child.pid for child in self.children if child.pid])
        for output in (*self._left, *(child.output for child in self.children)):
            output.close()

    async def wait_lost(self) -> None:
        """Wait until no children can be had any more, and raise why, or whatever else goes wrong behind the scenes.

        Raises:
            AppError: What the app needs before its first task can never be had.
            NotReady: It could not for too long.
            WarrenerError: The fork server was killed, and the app does not import any more.
        """
        done, _ = await asyncio.wait([self._broken, *self._background], return_when=asyncio.FIRST_COMPLETED)
        if self._broken in done:
            self._broken.result()
        try:
            for ended in done:
                ended.result()
        except AppError as error:
            raise WarrenerError(f"the children were killed, and cannot be replaced: {error}") from error

    @property
    def manifest(self) -> AppManifest:
        """What the app is; empty before the start."""
        return self._fork_server.manifest

    @property
    def slots(self) -> int:
        """How many tasks can run at a time."""
        return self._processes * self.manifest.slots

    @property
    def unfinished(self) -> list[RunningAttempt]:
        """What the children hold, running or waiting."""
        return [attempt for child in self.children for attempt in child.attempts]

    @property
    def held(self) -> int:
        """How many tasks are in the children, running or not."""
        return sum(child.held for child in self.children)

    def submit(self, attempts: deque[RunningAttempt], *, most: int | None = None) -> None:
        """Give tasks to children, from the left, as long as some child has room.

        Args:
            attempts: What waits; what is given is taken out.
            most: Give no more than so many.
        """
        limit = self.manifest.slots * self.pace.depth
        for child in share_out(attempts, self.children, limit, self._wear, most):
            child.send_work()
            if self._wear.look(child):
                self._roster.scale()

    def take_back(self) -> None:
        """Ask for the tasks that children hold but do not run; they come by `on_returned`."""
        for child in self.children:
            child.ask_back()

    def tell_stop(self) -> None:
        """Let handlers that ask hear that the worker stops."""
        for child in self.children:
            child.send(STOP)

    def interrupt(self, is_meant: Callable[[RunningAttempt], bool]) -> None:
        """Kill the children that run any of these; whatever they had comes by `on_returned`."""
        for child in self.children:
            if any(map(is_meant, child.running.values())):
                child.is_interrupted = child.is_retiring = True

    # --- the fork server

    async def _listen(self) -> None:
        while True:
            async for news in self._fork_server.news():
                if isinstance(news, Exited):
                    self._reap(news.pid, news.status)
                elif isinstance(news, Forked):
                    self._roster.on_forked(news)
                else:
                    self.owner.on_returned(self._roster.on_fork_failed(news).attempts)
            # The fork server itself was killed, and its children with it: none of their tasks is to blame.
            await self._replace_fork_server()

    async def _replace_fork_server(self) -> None:
        for child in self._roster.take_all():
            child.disconnect()
            if child.pid:
                kill_all(child.pid)
            self._left += child.end_output()
            self.owner.on_orphaned([*child.running.values()])
            self.owner.on_returned([*child.waiting])
        await self._fork_server.end()
        await self._fork_server.start(self._settings)
        self._roster.scale()
        self.owner.on_returned([])

    # --- one child

    def _on_readable(self, child: ChildProcess) -> None:
        try:
            self._read(child)
        except Exception as error:  # noqa: BLE001 - `wait_lost` raises it; the loop would only log it
            self._break(error)

    def _break(self, error: Exception) -> None:
        if isinstance(error, AppError | NotReady):
            self._roster.is_closed = True
        if not self._broken.done():
            self._broken.set_exception(error)

    def _read(self, child: ChildProcess) -> None:
        try:
            for message in child.read():
                self._on_message(child, message, time.monotonic())
        except NoFrame:
            child.fault = "it wrote into the socket of the process that ran it"
            child.is_retiring = True
        if child.is_retiring and (child.fault or not child.held):
            self._dismiss(child)

    def _dismiss(self, child: ChildProcess) -> None:
        """Close its socket, by which it ends as soon as it has put away what it has."""
        if child.is_connected:
            patience = self._patience if child.is_ready else min(self._patience, _START_ENDS_WITHIN)
            child.leaves_until = time.monotonic() + (patience if self.manifest.prepares else 0)
            child.disconnect()

    def _on_message(self, child: ChildProcess, message: FromChild, now: float) -> None:
        if isinstance(message, Report):
            if attempt := child.finish(message.key, now):
                child.done += 1
                self.pace.add(message.duration)
                if self._wear.look(child, message.peak_memory):
                    self._roster.scale()
                self.owner.on_report(attempt, message, child.name)
        elif isinstance(message, Returned):
            self.owner.on_returned(child.take_back(set(message.keys), now))
        elif isinstance(message, Alive):
            child.pinged_at, child.answered_at = None, now
        elif isinstance(message, Progress):
            child.note_progress(message)
        elif isinstance(message, Ready):
            self._roster.on_ready(child)
        elif isinstance(message, Unready):
            self._roster.on_unready(child, message, now)

    def _reap(self, pid: int, status: int) -> None:
        child = next((child for child in self.children if child.pid == pid), None)
        if child is None:
            return
        for _ in child.unread():  # what it said before it died still counts
            self._read(child)
        self._left += child.end_output()
        self.children.remove(child)
        child.disconnect()
        if not (child.is_ready or child.has_given_up or self._roster.is_closed):
            try:
                self._roster.on_died_early(child, how_ended(status), time.monotonic())
            except WarrenerError as error:
                self._break(error)
        self._roster.scale()
        overdue = [attempt for attempt in child.overdue if attempt.key in child.running]
        running = [attempt for attempt in child.running.values() if attempt not in overdue]
        for attempt in overdue:
            self.owner.on_timed_out(attempt, child.name)
        was_killed = child.overdue or child.is_interrupted  # for none of these
        if running and not was_killed:
            self.owner.on_crashed(running, child.fault or how_ended(status), child.name)
            running = []
        self.owner.on_returned([*running, *child.waiting])

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self._left = [output for output in self._left if output.look()]
            for child in self.children:
                if child.look_at_output(now):
                    watch_time(child, now)
                if child.is_retiring and not child.held:
                    self._dismiss(child)
                if child.pid and child.is_condemned(now):
                    kill_all(child.pid)
                if child.look_whether_slow(now):
                    child.ask_back()

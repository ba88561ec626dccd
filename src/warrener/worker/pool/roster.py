"""Which children there are: as many as there should be, and those whose places others are about to take."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warrener.worker.frames import Unready
from warrener.worker.pool.child import ChildProcess
from warrener.worker.pool.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.worker.fork_messages import Forked, ForkFailed
    from warrener.worker.fork_server import ForkServer
    from warrener.worker.printer import Printer

_log = logging.getLogger("warrener.worker")

# After so many children that died before their first task, and none that did not, the app is not fit to be run.
_STARTS: Final = 4
_SLOW_START: Final = 10.0  # seconds after which a start is said to be slow
_FORK_AGAIN: Final = 1.0  # seconds until a child that could not be forked is asked for again


class Roster:
    """The children of a pool, and those that are on their way.

    Args:
        fork_server: Where they come from.
        printer: Shows what they print.
        wanted: How many there should be.
        on_readable: Told when one has said something.
        on_room: Told when one can take tasks that could not before.
    """

    def __init__(
        self,
        fork_server: ForkServer,
        printer: Printer,
        wanted: int,
        on_readable: Callable[[ChildProcess], None],
        on_room: Callable[[], None],
    ) -> None:
        self.children: list[ChildProcess] = []
        """Always this one list."""
        self.is_closed = False
        self.has_begun = asyncio.Event()
        """Set once a child can take tasks."""
        self._fork_server = fork_server
        self._printer = printer
        self._wanted = wanted
        self._on_readable = on_readable
        self._on_room = on_room
        self._forking: dict[int, ChildProcess] = {}  # by the request's number
        self._readiness = Readiness()
        self._died_early = 0
        self._is_waiting = False  # to ask again
        self._is_asked = False  # for the first
        self._loop = asyncio.get_running_loop()

    def scale(self) -> None:
        """Ask for as many children as there should be. One that is worn stays until another one can take its place."""
        if self.is_closed or self._is_waiting:
            return
        missing = self._wanted - sum(not child.is_worn for child in self.children)
        for _ in range(missing):
            try:
                number, connection, pipe = self._fork_server.fork()
            except OSError as error:
                self._on_refused(error.strerror or str(error))
                return
            slots = self._fork_server.manifest.slots
            child = ChildProcess(connection, pipe, self._printer, slots, is_ready=False)
            child.listen(self._loop, self._on_readable)
            self.children.append(child)
            self._forking[number] = child
        if not self._is_asked:
            self._is_asked = True
            self._loop.call_later(_SLOW_START, self._say_slow)

    def take_all(self) -> list[ChildProcess]:
        """Those that there are, which are none any more."""
        children = [*self.children]
        self.children.clear()
        self._forking.clear()
        return children

    # --- what becomes of one

    def on_forked(self, news: Forked) -> None:
        """It is there."""
        child = self._forking.pop(news.number)
        child.pid = news.pid

    def on_fork_failed(self, news: ForkFailed) -> ChildProcess:
        """It is not; what it was given is for others."""
        child = self._forking.pop(news.number)
        self.children.remove(child)
        child.disconnect()
        child.output.close()
        self._on_refused(news.reason)
        return child

    def on_ready(self, child: ChildProcess) -> None:
        """It can take tasks."""
        child.is_ready = True
        self._readiness.on_ready()
        self.has_begun.set()
        self._relieve()
        self._on_room()

    def on_unready(self, child: ChildProcess, reason: Unready, now: float) -> None:
        """It cannot, and ends.

        Raises:
            AppError: None ever could.
            NotReady: None could for too long.
        """
        child.has_given_up = True
        has_others = any(other.is_ready for other in self.children)
        delay = self._readiness.on_unready(
            reason.sentence, now, is_lasting=reason.is_lasting, has_others=has_others
        )
        self._ask_again(delay)

    def on_died_early(self, child: ChildProcess, how: str, now: float) -> None:
        """It died before it could take a task, which is none's fault. Raises: as `on_unready`."""
        self._died_early += 1
        # Without a lifespan nothing is done there that could go better another time.
        may_go_better = self._fork_server.manifest.prepares or self.has_begun.is_set()
        is_lasting = self._died_early >= _STARTS and not may_go_better
        self.on_unready(child, Unready(f"a child dies before its first task: {how}", is_lasting), now)

    def _relieve(self) -> None:
        """Let a worn child go, now that another one can take its place."""
        worn = next((child for child in self.children if child.is_worn and not child.is_retiring), None)
        if worn:
            worn.retire()

    def _say_slow(self) -> None:
        """Say of what nobody has heard anything where nothing runs: a lifespan that waits for something."""
        if not (self.is_closed or self.has_begun.is_set() or self._readiness.is_failing) and self.children:
            what = "is in the app's lifespans" if self._fork_server.manifest.prepares else "starts"
            _log.warning("no child can work yet after %.0f s: each %s still", _SLOW_START, what)

    def _on_refused(self, reason: str) -> None:
        _log.warning("cannot fork a child process (%s); retrying", reason)
        self._ask_again(_FORK_AGAIN)

    def _ask_again(self, delay: float) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._loop.call_later(delay, self._scale_again)

    def _scale_again(self) -> None:
        self._is_waiting = False
        if self._fork_server.is_ready:  # another one is followed by its children anyway
            self.scale()
            self._on_room()

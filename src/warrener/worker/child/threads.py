"""A child: runs handlers in its main thread, or in several, and tells the supervisor how they ended."""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections import deque
from contextlib import contextmanager, suppress
from os import getpid  # as it is now: handlers may replace it
from typing import TYPE_CHECKING

import msgspec

from warrener.worker.child.lifespans import Lifespans, NotEntered
from warrener.worker.child.perform import perform
from warrener.worker.child.reports import unknown
from warrener.worker.child.surroundings import Surroundings
from warrener.worker.frames import (
    Alive,
    NoFrame,
    Progress,
    Ready,
    Report,
    Returned,
    Unpacker,
    Unready,
    WorkBatch,
    pack,
)
from warrener.worker.manifest import ANY_TYPE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from warrener.handler import Handler
    from warrener.worker.child.output import Output
    from warrener.worker.child.runnable import Runnable
    from warrener.worker.frames import FromChild, WorkItem


class Child:
    """Runs tasks in threads, the main one among them; one more thread reads what comes.

    What goes wrong beside a handler ends the process: nobody could say any more what becomes of its tasks.

    Args:
        connection: To the supervisor.
        output: Where handlers print.
        app: What it runs.
        slots: How many tasks run at a time.
        max_result: A handler's return value may have so many bytes as JSON.
    """

    def __init__(
        self, connection: socket.socket, output: Output, app: Runnable, slots: int, max_result: int
    ) -> None:
        self._connection = connection
        self._output = output
        self._handlers = app.handlers
        self._lifespans = Lifespans(app.lifespans, _say)
        self._around = Surroundings(
            app.middlewares,
            self._lifespans.resources,
            _say,
            has_alarm=slots == 1 and not app.needs_loop,
            home=app.home,
        )
        self._prepares = app.prepares
        self._is_leaving = False
        self._slots = slots
        self._max_result = max_result
        self._pid = getpid()
        # Begun from the left, given back from the right: what is begun always came before what is given back.
        self._inbox: deque[WorkItem] = deque()
        self._arrivals: queue.SimpleQueue[None] = queue.SimpleQueue()  # once for each item
        self._sending = threading.Lock()

    def run(self) -> None:
        """Work until the supervisor is gone, or wants this child no more."""
        threading.Thread(target=or_die, args=(self._read_work,), daemon=True).start()
        or_die(self._live)
        self._output.end_all()
        os._exit(0)

    def _live(self) -> None:
        with self._prepared(), self._lifespans.entered():
            self._be_ready()
            for _ in range(self._slots - 1):
                threading.Thread(target=or_die, args=(self._work,), daemon=True).start()
            self._work(is_main=True)  # in the main thread, where signals and most libraries expect to be

    def _work(self, *, is_main: bool = False) -> None:
        """In the main thread until it is to leave, which it may once nothing runs; in others for ever."""
        while True:
            self._arrivals.get()
            if item := self._next():
                self._send(self._perform(item))
            elif self._is_leaving:
                if is_main:
                    return
                self._arrivals.put(None)  # what this one got was for the main thread
                threading.Event().wait()

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """Say what keeps this child from becoming ready."""
        try:
            yield
        except NotEntered as error:
            self._output.end_all()
            self._tell(Unready(str(error), error.is_lasting))
            os._exit(0)

    def _be_ready(self) -> None:
        self._tell(Ready())

    def _next(self) -> WorkItem | None:
        """The next item to begin; None if there is none any more."""
        try:
            return self._inbox.popleft()
        except IndexError:
            return None

    def _read_work(self) -> None:
        unpacker = Unpacker(msgspec.msgpack.Decoder(WorkBatch))
        with suppress(OSError, NoFrame):
            while messages := unpacker.receive(self._connection):
                for message in messages:
                    if message.is_ping:
                        self._answer()
                    elif message.is_stop:
                        self._around.is_stopping = True
                    elif message.is_question:
                        self._tell(Progress(self._around.reported))
                    elif message.items:
                        self._begin(message.items)
                    else:
                        self._return_waiting()
        if self._prepares:
            self._leave()
        else:
            os._exit(0)

    def _leave(self) -> None:
        """The supervisor wants this child no more: nothing runs. Or it is gone, and the fork server kills what runs."""
        self._is_leaving = True
        self._arrivals.put(None)

    def _answer(self) -> None:
        self._send(Alive())

    def _begin(self, items: list[WorkItem]) -> None:
        for item in items:
            self._inbox.append(item)
            self._arrivals.put(None)

    def _return_waiting(self) -> None:
        keys = []
        with suppress(IndexError):
            while True:
                keys.append(self._inbox.pop().key)
        self._send(Returned(keys))

    def _send(self, message: Report | Returned | Alive) -> None:
        if getpid() != self._pid:
            # A handler has forked, and ended in both processes: this is the one too many.
            os._exit(int(isinstance(message, Report) and message.kind != "completed"))
        if not self._tell(message):
            os._exit(0)

    def _tell(self, message: FromChild) -> bool:
        """Whether there was somebody to tell."""
        try:
            with self._sending:
                self._connection.sendall(pack(message))
        except OSError:
            return False
        return True

    def _handler(self, item: WorkItem) -> Handler | None:
        return self._handlers.get(item.type) or self._handlers.get(ANY_TYPE)

    def _perform(self, item: WorkItem) -> Report:
        handler = self._handler(item)
        if handler is None:
            return unknown(item, self._handlers)
        self._output.begin(item.key)
        report = perform(handler, item, self._max_result, self._around)
        if self._around.traces:
            report = self._around.traced(report)
        self._output.end()
        return report


def _say(sentence: str) -> None:
    with suppress(Exception):  # a handler may have closed it
        print(f"warrener: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - where handlers print, too


def or_die(work: Callable[[], object]) -> None:
    """Do it; if that fails the process ends, and the supervisor says what with it."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - as said
        with suppress(BaseException):
            traceback.print_exc()
        os._exit(1)

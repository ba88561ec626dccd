"""A child: runs handlers in its main thread, or in several, and tells the supervisor how they ended."""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections import deque
from contextlib import suppress
from os import getpid  # as it is now: handlers may replace it
from typing import TYPE_CHECKING, NoReturn

import msgspec

from warrener.worker.child.perform import perform
from warrener.worker.frames import READ, Alive, NoFrame, Report, Returned, Unpacker, WorkBatch, pack
from warrener.worker.manifest import ANY_TYPE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from warrener.handler import Handler
    from warrener.worker.child.output import Output
    from warrener.worker.frames import WorkItem


class Child:
    """Runs tasks in threads, the main one among them; one more thread reads what comes.

    What goes wrong beside a handler ends the process: nobody could say any more what becomes of its tasks.

    Args:
        connection: To the supervisor.
        output: Where handlers print.
        handlers: By type.
        slots: How many tasks run at a time.
        max_result: A handler's return value may have so many bytes as JSON.
    """

    def __init__(
        self,
        connection: socket.socket,
        output: Output,
        handlers: dict[str, Handler],
        slots: int,
        max_result: int,
    ) -> None:
        self._connection = connection
        self._output = output
        self._handlers = handlers
        self._slots = slots
        self._max_result = max_result
        self._pid = getpid()
        # Begun from the left, given back from the right: what is begun always came before what is given back.
        self._inbox: deque[WorkItem] = deque()
        self._arrivals: queue.SimpleQueue[None] = queue.SimpleQueue()  # once for each item
        self._sending = threading.Lock()

    def run(self) -> NoReturn:
        """Work until the supervisor is gone."""
        threading.Thread(target=or_die, args=(self._read_work,), daemon=True).start()
        for _ in range(self._slots - 1):
            threading.Thread(target=or_die, args=(self._work,), daemon=True).start()
        or_die(self._work)  # in the main thread, where signals and most libraries expect to be

    def _work(self) -> NoReturn:
        while True:
            self._arrivals.get()
            if item := self._next():
                self._send(self._perform(item))

    def _next(self) -> WorkItem | None:
        """The next item to begin; None if there is none any more."""
        try:
            return self._inbox.popleft()
        except IndexError:
            return None

    def _read_work(self) -> None:
        unpacker = Unpacker(msgspec.msgpack.Decoder(WorkBatch))
        with suppress(OSError, NoFrame):
            while data := self._connection.recv(READ):
                for message in unpacker.feed(data):
                    if message.is_ping:
                        self._answer()
                    elif message.items:
                        self._begin(message.items)
                    else:
                        self._return_waiting()
        os._exit(0)  # the supervisor is gone, or wants this child no more

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
            os._exit(0)  # a handler has forked and returned in both processes: this is the one too many
        try:
            with self._sending:
                self._connection.sendall(pack(message))
        except OSError:
            os._exit(0)

    def _handler(self, item: WorkItem) -> Handler:
        return self._handlers.get(item.type) or self._handlers[ANY_TYPE]

    def _perform(self, item: WorkItem) -> Report:
        self._output.begin(item.key)
        report = perform(self._handler(item), item, self._max_result)
        self._output.end()
        return report


def or_die(work: Callable[[], object]) -> NoReturn:
    """Do it; the process ends in any case, and the supervisor says what with it."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - as said
        with suppress(BaseException):
            traceback.print_exc()
    os._exit(1)

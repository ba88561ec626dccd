"""The process that imports the app, and the children it forks, which run the handlers.

`python -m warren.worker.child FD` is the nursery: it imports the app once, tells the supervisor what is in it,
and then forks one child for each file descriptor it is sent. A child talks to the supervisor over that descriptor.
When the supervisor is gone, the nursery kills every child and ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import queue
import resource
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from os import getpid  # as it is now, like those two: handlers may replace it
from time import perf_counter, time
from typing import TYPE_CHECKING, NoReturn

import msgspec

from warren.app import Handler, load
from warren.errors import InvalidTask, PermanentError, TransientError, UsageError
from warren.tasks import MAX_MESSAGE, MAX_TRACEBACK, cut, encode, nests_too_deep
from warren.worker.command import command_handler
from warren.worker.frames import (
    ANY_TYPE,
    READ,
    Alive,
    ChildSettings,
    HandlerRules,
    Hello,
    NoFrame,
    Order,
    Orders,
    Report,
    Returned,
    Unpacker,
    pack,
)
from warren.worker.killing import kill_all, kill_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType

_MOST_STACKS = 100
_stacks: dict[tuple[tuple[CodeType, int], ...], str] = {}
_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


class ResultTooLarge(PermanentError):  # noqa: N818 - its name is what users read
    """A handler has returned more than the broker takes."""


def main() -> None:
    """The nursery: import, tell, fork on demand, report who ended and how."""
    # The supervisor decides when children end; signals sent to the whole group must not.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.dup2(2, 1)  # handlers may print; Warren's stdout carries data
    settings = msgspec.json.decode(_read_line(control), type=ChildSettings)
    try:
        handlers = _handlers(settings)
    except UsageError as error:
        _tell(control, Hello(error=str(error)))
        return
    slots = settings.concurrency if any(h.is_async for h in handlers.values()) else settings.threads
    rules = {h.name: HandlerRules(h.policy.retries, h.policy.base, h.timeout) for h in handlers.values()}
    _tell(control, Hello(rules, slots))
    gc.freeze()  # what is imported stays shared between the children
    _Nursery(control, handlers, slots, settings.max_result).run()


def _tell(control: socket.socket, hello: Hello) -> None:
    try:
        control.sendall(encode(hello) + b"\n")
    except OSError:
        sys.exit(0)  # the supervisor is gone


def _handlers(settings: ChildSettings) -> dict[str, Handler]:
    if settings.command:
        return {
            ANY_TYPE: command_handler(
                settings.command, settings.timeout, settings.retries, settings.max_result
            )
        }
    return load(settings.app).handlers


def _read_line(control: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = control.recv(1)  # not a byte more: what follows comes with file descriptors
        if not byte:
            sys.exit(0)
        line += byte
    return line


class _Nursery:
    def __init__(
        self, control: socket.socket, handlers: dict[str, Handler], slots: int, max_result: int
    ) -> None:
        self._control = control
        self._handlers = handlers
        self._slots = slots
        self._max_result = max_result
        self._children: set[int] = set()
        self._own: list[socket.socket | selectors.BaseSelector] = [control]  # out of the children's reach

    def run(self) -> None:
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        self._own += [wake_read, wake_write, selector]
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake_read:
                    wake_read.recv(4096)
                    self._reap()
                elif not self._fork_on_demand():
                    self._end()

    def _fork_on_demand(self) -> bool:
        try:
            request, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        except OSError:
            return False
        if not request:
            return False
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_child(nursery)
            for own in self._own:
                own.close()
            _Child(socket.socket(fileno=descriptors[0]), self._handlers, self._slots, self._max_result).run()
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(OSError):
            os.setpgid(pid, pid)  # in both processes, so that neither finds it undone
        self._children.add(pid)
        self._tell({"forked": pid})
        return True

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._children.discard(pid)
            kill_group(pid)  # what the handler started ends with it
            self._tell({"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, int]) -> None:
        try:
            self._control.sendall(encode(message) + b"\n")
        except OSError:
            self._end()

    def _end(self) -> NoReturn:
        for pid in self._children:
            kill_all(pid)
        os._exit(0)


def _become_child(nursery: int) -> None:
    os.setpgid(0, 0)  # a group of its own: a time limit kills whatever the handler started, too
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        death_signal_option = 1  # PR_SET_PDEATHSIG: do not outlive the nursery, however it ends
        ctypes.CDLL(None).prctl(death_signal_option, signal.SIGKILL)
        if os.getppid() != nursery:
            os._exit(1)
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)


class _Child:
    """Runs tasks: the main thread (or threads, or an event loop) works, one more thread reads orders.

    What goes wrong beside a handler ends the process: nobody could say any more what becomes of its tasks.
    """

    def __init__(
        self, connection: socket.socket, handlers: dict[str, Handler], slots: int, max_result: int
    ) -> None:
        self._connection = connection
        self._handlers = handlers
        self._slots = slots
        self._max_result = max_result
        self._pid = getpid()
        # Begun from the left, given back from the right: what is begun always came before what is given back.
        self._inbox: deque[Order] = deque()
        self._rung: queue.SimpleQueue[None] = queue.SimpleQueue()  # once for each order
        self._sending = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[None]] = set()

    def run(self) -> NoReturn:
        if any(handler.is_async for handler in self._handlers.values()):
            # Not asyncio.run(), which would first cancel the tasks that run, as if they had failed.
            self._loop = asyncio.new_event_loop()
            self._loop.set_default_executor(ThreadPoolExecutor(self._slots))
            threading.Thread(target=_or_die, args=(self._read_orders,), daemon=True).start()
            _or_die(self._loop.run_forever)
        threading.Thread(target=_or_die, args=(self._read_orders,), daemon=True).start()
        for _ in range(self._slots - 1):
            threading.Thread(target=_or_die, args=(self._work,), daemon=True).start()
        _or_die(self._work)  # in the main thread, where signals and most libraries expect to be

    def _work(self) -> NoReturn:
        while True:
            self._rung.get()
            if order := self._next():
                self._send(self._perform(order))

    def _fill(self) -> None:
        while len(self._running) < self._slots and (order := self._next()):
            task = asyncio.ensure_future(self._perform_async(order))
            self._running.add(task)
            task.add_done_callback(self._on_done)

    def _next(self) -> Order | None:
        """The next order to begin; None if there is none any more."""
        try:
            return self._inbox.popleft()
        except IndexError:
            return None

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception():
            _or_die(task.result)
        self._running.discard(task)
        self._fill()

    def _read_orders(self) -> None:
        unpacker = Unpacker(msgspec.msgpack.Decoder(Orders))
        with suppress(OSError, NoFrame):
            while data := self._connection.recv(READ):
                for message in unpacker.feed(data):
                    self._take(message)
        os._exit(0)  # the supervisor is gone, or wants this child no more

    def _take(self, message: Orders) -> None:
        if message.is_roll_call:
            if self._loop:
                self._loop.call_soon_threadsafe(self._send, Alive())
            else:
                self._send(Alive())
            return
        if not message.orders:
            self._return_waiting()
        for order in message.orders:
            self._inbox.append(order)
            if not self._loop:
                self._rung.put(None)
        if self._loop:
            self._loop.call_soon_threadsafe(self._fill)

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

    def _perform(self, order: Order) -> Report:
        handler = self._handlers.get(order.type) or self._handlers[ANY_TYPE]
        started_at, start = time(), perf_counter()
        try:
            arguments = handler.bind(order.id, order.type, order.priority, order.data)
            value = handler.function(**arguments)
            return _completed(order, started_at, perf_counter() - start, self._encode(value))
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its attempt's end
            return _failed(order, handler, started_at, start, error)

    async def _perform_async(self, order: Order) -> None:
        handler = self._handlers.get(order.type) or self._handlers[ANY_TYPE]
        if not handler.is_async:
            self._send(await asyncio.get_running_loop().run_in_executor(None, self._perform, order))
            return
        started_at, start = time(), perf_counter()
        try:
            arguments = handler.bind(order.id, order.type, order.priority, order.data)
            value = await handler.function(**arguments)
            report = _completed(order, started_at, perf_counter() - start, self._encode(value))
        except BaseException as error:  # noqa: BLE001 - likewise
            report = _failed(order, handler, started_at, start, error)
        self._send(report)

    def _encode(self, value: object) -> bytes:
        try:
            body = encode(value)
            msgspec.json.decode(
                body, type=msgspec.Raw
            )  # the value may be or hold text that only claims to be JSON
        except Exception as error:  # noqa: BLE001 - whatever an encoder meets in a user's value
            raise PermanentError(
                f"the handler returned a value of type {type(value).__name__} that JSON cannot carry: {error}"
            ) from None
        if nests_too_deep(body):
            raise PermanentError(
                "the handler returned a value that nests too deep for those who read results"
            )
        if len(body) > self._max_result:
            raise ResultTooLarge(
                f"the result has {len(body)} bytes; the broker takes {self._max_result} at most"
            )
        return body


def _or_die(work: Callable[[], object]) -> NoReturn:
    try:
        work()
    except BaseException:  # noqa: BLE001 - the process ends, and the supervisor says what with it
        with suppress(BaseException):
            traceback.print_exc()
    os._exit(1)


def _completed(order: Order, started_at: float, duration: float, body: bytes) -> Report:
    return Report(order.key, "completed", started_at, duration, _peak_memory(), body)


def _failed(order: Order, handler: Handler, started_at: float, start: float, error: BaseException) -> Report:
    duration = perf_counter() - start
    kind = "failed"
    if isinstance(error, InvalidTask):
        kind = "invalid"
    elif isinstance(error, (PermanentError, *handler.permanent)):
        kind = "permanent"
    return Report(
        order.key,
        kind,
        started_at,
        duration,
        _peak_memory(),
        error=cut(str(type(error).__name__), MAX_MESSAGE),
        message=_told(lambda: cut(str(error), MAX_MESSAGE)),
        traceback=_told(lambda: cut(_traceback(error), MAX_TRACEBACK, keep_end=True)),
        after=_seconds(error.after) if isinstance(error, TransientError) else None,
    )


def _traceback(error: BaseException) -> str:
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without this file's own line
    if frames is None:
        return ""
    if error.__cause__ or error.__context__ or isinstance(error, BaseExceptionGroup):
        return "".join(traceback.format_exception(type(error), error, frames))
    last = traceback.format_exception_only(type(error), error)
    return "".join(("Traceback (most recent call last):\n", _stack(frames), *last))


def _stack(frames: TracebackType) -> str:
    """The lines of a stack. To read and mark its source is most of what a failure costs, and thousands fail at one place."""
    following: TracebackType | None = frames
    places = []
    while following:
        places.append((following.tb_frame.f_code, following.tb_lasti))
        following = following.tb_next
    key = tuple(places)
    lines = _stacks.get(key)
    if lines is None:
        if len(_stacks) >= _MOST_STACKS:
            _stacks.clear()
        lines = _stacks[key] = "".join(traceback.format_tb(frames))
    return lines


def _told(tell: Callable[[], str]) -> str:
    try:
        return tell()
    except BaseException:  # noqa: BLE001 - a user's __str__ may do anything
        return "(its message cannot be read)"


def _seconds(after: object) -> float | None:
    """The delay a handler asked for, if it is one."""
    try:
        return None if after is None else float(after)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MEMORY_UNIT


if __name__ == "__main__":
    main()

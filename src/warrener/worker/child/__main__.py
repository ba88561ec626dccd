"""The fork server: `python -m warrener.worker.child FD` imports the app and forks the children, or spawns them instead.

It imports the app once, tells the supervisor what is in it, and then forks one child for each file descriptor it is
sent. A child talks to the supervisor over that descriptor. When the supervisor is gone, the fork server kills every child
and ends.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import selectors
import signal
import socket
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from warrener.codec import encode
from warrener.errors import UsageError
from warrener.loader import load
from warrener.own_imports import OwnImports, put_users_back
from warrener.worker.child.inherited import warnings_of, what_is_open
from warrener.worker.child.output import Output
from warrener.worker.child.runnable import Runnable
from warrener.worker.child.threads import Child
from warrener.worker.fork_messages import DESCRIPTORS, NUMBER_BYTES, Exited, Forked, ForkFailed
from warrener.worker.frames import Unready, pack
from warrener.worker.killing import kill_all, kill_group
from warrener.worker.manifest import ANY_TYPE, AppManifest, ChildSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.worker.child.spawning import Spawner

# Of prctl.
_DEATH_SIGNAL: Final = 1
_CHILD_SUBREAPER: Final = 36
_SPAWNED: Final = 5  # numbers on the command line of a child that was not forked


def main() -> None:
    """Import, tell, fork on demand, report who ended and how; or be a child that was not forked."""
    numbers = [int(word) for word in sys.argv[1:]]
    if len(numbers) == _SPAWNED:
        _be_spawned(*numbers)
    if len(numbers) > 1:
        _die_with(numbers[-1])
    # The supervisor decides when children end; signals sent to the whole group must not.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(
            signal.SIGHUP, lambda *_: None
        )  # not ignored, as it would stay in what is started from here
    control = socket.socket(fileno=numbers[0])
    output = Output()
    output.install()  # before anybody takes a stream from where it is
    settings = msgspec.json.decode(_read_line(control), type=ChildSettings)
    if settings.spawn:
        from warrener.worker.child.spawning import Spawner, described

        manifest = described(settings)
        _tell(control, manifest)
        spawner = Spawner(settings, manifest.slots)
        _ForkServer(control, output, manifest.slots, spawner=spawner).run()
    before = what_is_open()
    try:
        app = _runnable(settings)
    except UsageError as error:
        output.end_all()
        _tell(control, AppManifest(error=str(error)))
        return
    output.end_all()
    kind, slots = _kind(app, settings)
    manifest = AppManifest.of(app.handlers.values(), slots, prepares=app.prepares)
    found = tuple(warnings_of(settings.app, before)) if settings.app else ()
    _tell(control, msgspec.structs.replace(manifest, warnings=found))
    # Python warns of every thread there is, those of C libraries that bear a fork as well.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    gc.freeze()  # what is imported stays shared between the children
    _ForkServer(
        control,
        output,
        slots,
        lambda connection: kind(connection, output, app, slots, settings.max_result),
    ).run()


def _kind(app: Runnable, settings: ChildSettings) -> tuple[type[Child], int]:
    """What runs an app, and how many tasks it runs at a time."""
    kind, slots = Child, settings.threads
    if app.needs_loop:
        with OwnImports():
            from warrener.worker.child.loop import (
                LoopChild,  # asyncio is half of what this process takes to start
            )

        kind = LoopChild
    if any(handler.is_async for handler in app.handlers.values()):
        slots = settings.concurrency
    return kind, slots


def _be_spawned(settings: int, connection: int, pipe: int, slots: int, fork_server: int) -> NoReturn:
    """Be a child that imports the app itself. Args: descriptors, as `Spawner` has made them."""
    _become_child(fork_server)
    output = Output()
    output.install()
    output.connect(pipe, is_shared=slots > 1)
    supervisor = socket.socket(fileno=connection)
    with open(settings, "rb") as file:
        wanted = msgspec.json.decode(file.read(), type=ChildSettings)
    try:
        app = _runnable(wanted)._replace(is_spawned=True)
    except UsageError as error:
        with suppress(OSError):
            supervisor.sendall(pack(Unready(str(error), is_lasting=True)))
        os._exit(0)
    kind, _ = _kind(app, wanted)
    kind(supervisor, output, app, slots, wanted.max_result).run()
    os._exit(0)


def _tell(control: socket.socket, manifest: AppManifest) -> None:
    try:
        control.sendall(encode(manifest) + b"\n")
    except OSError:
        sys.exit(0)  # the supervisor is gone


def _runnable(settings: ChildSettings) -> Runnable:
    if settings.command:
        from warrener.worker.command import command_handler

        return Runnable({ANY_TYPE: command_handler(settings)})
    put_users_back()
    sys.argv[:] = [settings.app.partition(":")[0]]  # an app that reads its command line has none
    sys.path[:0] = [directory for directory in settings.search if directory not in sys.path]
    app = load(settings.app)
    return Runnable(app.handlers, app.lifespans, app.middlewares, home=(settings.system, settings.queue))


def _read_line(control: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = control.recv(1)  # not a byte more: what follows comes with file descriptors
        if not byte:
            sys.exit(0)
        line += byte
    return line


class _ForkServer:
    def __init__(
        self,
        control: socket.socket,
        output: Output,
        slots: int,
        make_child: Callable[[socket.socket], Child] | None = None,
        spawner: Spawner | None = None,
    ) -> None:
        self._control = control
        self._output = output
        self._slots = slots
        self._make_child = make_child
        self._spawner = spawner
        self._children: set[int] = set()
        self._own: list[socket.socket | selectors.BaseSelector] = [control]  # out of the children's reach

    def run(self) -> None:
        if (
            sys.platform == "linux"
        ):  # what handlers leave behind is ours: as a container's first process nobody else reaps it
            ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1)
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
            request, descriptors, _, _ = socket.recv_fds(self._control, NUMBER_BYTES, DESCRIPTORS)
        except OSError:
            return False
        if not request:
            return False
        number = int.from_bytes(request, "big")
        if len(descriptors) < DESCRIPTORS:  # there is no room for one more
            _close(descriptors)
            self._tell(ForkFailed(number, errno.EMFILE))
            return True
        fork_server = os.getpid()
        try:
            pid = self._spawner.spawn(*descriptors) if self._spawner else os.fork()
        except OSError as error:
            _close(descriptors)
            self._tell(ForkFailed(number, error.errno or 0))
            return True
        if pid == 0 and self._make_child:
            _become_child(fork_server)
            for own in self._own:
                own.close()
            connection, pipe = descriptors
            self._output.connect(pipe, is_shared=self._slots > 1)
            self._make_child(socket.socket(fileno=connection)).run()
        _close(descriptors)
        with suppress(OSError):
            os.setpgid(pid, pid)  # in both processes, so that neither finds it undone
        self._children.add(pid)
        self._tell(Forked(number, pid))
        return True

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid not in self._children:  # what a handler has left behind
                continue
            self._children.discard(pid)
            if self._spawner:
                self._spawner.forget(pid, status)
            kill_group(pid)  # what the handler started ends with it
            self._tell(Exited(pid, os.waitstatus_to_exitcode(status)))

    def _tell(self, news: Forked | ForkFailed | Exited) -> None:
        try:
            self._control.sendall(encode(news) + b"\n")
        except OSError:
            self._end()

    def _end(self) -> NoReturn:
        for pid in self._children:
            kill_all(pid)
        os._exit(0)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _become_child(fork_server: int) -> None:
    os.setpgid(0, 0)  # a group of its own: a time limit kills whatever the handler started, too
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, signal.SIG_DFL)
    _die_with(fork_server)
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)


def _die_with(parent: int) -> None:
    """Do not outlive it, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main()

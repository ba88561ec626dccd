"""Children that are started afresh instead of forked: each imports the app itself, for libraries that bear no fork."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.codec import encode
from warrener.worker.manifest import AppManifest

if TYPE_CHECKING:
    from warrener.worker.manifest import ChildSettings

_MODULE: Final = "warrener.worker.child"


class Spawner:
    """Starts processes that do what this one would do after a fork.

    Args:
        settings: What they run.
        slots: How many tasks each runs at a time.
    """

    def __init__(self, settings: ChildSettings, slots: int) -> None:
        self._settings = encode(settings)
        self._slots = slots
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def spawn(self, connection: int, pipe: int) -> int:
        """Start a child; its process id.

        Args:
            connection: Its end of the socket to the supervisor.
            pipe: Where it prints.

        Raises:
            OSError: The system starts none.
        """
        settings = _readable(self._settings)
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", _MODULE),
                    *map(str, (settings, connection, pipe, self._slots, os.getpid())),
                ],
                pass_fds=(settings, connection, pipe),
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        finally:
            os.close(settings)
        self._processes[process.pid] = process
        return process.pid

    def forget(self, pid: int, status: int) -> None:
        """One was reaped."""
        if process := self._processes.pop(pid, None):
            process.returncode = status  # or Popen would look for it once more


def described(settings: ChildSettings) -> AppManifest:
    """The manifest of an app, as a process tells it that imports it and ends. Where that dies, this one dies as it did."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
            )
        ours.sendall(encode(msgspec.structs.replace(settings, spawn=False)) + b"\n")
        line = b""
        while not line.endswith(b"\n") and (data := ours.recv(1 << 16)):
            line += data
    status = process.wait()
    if not line:
        if status < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    return msgspec.structs.replace(msgspec.json.decode(line, type=AppManifest), prepares=True, warnings=())


def _readable(data: bytes) -> int:
    """A descriptor from which it can be read."""
    descriptor = os.memfd_create("settings")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor

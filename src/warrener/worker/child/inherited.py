"""What an app's import has left open: children that are forked share it, and that seldom goes well.

Said is only what does harm: connections, open files, and threads of Python's. Not said are what each process uses by itself
(epoll, event and timer descriptors, sockets and pipes both ends of which are here, as event loops have), what is sent or
written whole (datagrams, as to syslog and statsd; files that are appended to, and the log files of `logging`), devices, memory
and deleted files, and threads of C libraries, which look after themselves (as OpenBLAS does).
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DESCRIPTORS: Final = Path("/proc/self/fd")
_SQLITE: Final = b"SQLite format 3\0"
_BESIDE_A_DATABASE: Final = ("-wal", "-shm", "-journal")
_MOST_NAMED: Final = 3
_WHEN: Final = "while it was imported"
_SHARED: Final = f"{_WHEN}: its children share it"


class Open(NamedTuple):
    """What is open in this process.

    Args:
        descriptors: What each descriptor is, as the system names it; empty where the system does not say.
        threads: Python's, by their idents.
    """

    descriptors: dict[int, str]
    threads: dict[int, str]


def what_is_open() -> Open:
    """What is open just now."""
    found = {}
    with suppress(OSError):
        for entry in _DESCRIPTORS.iterdir():
            with suppress(OSError):  # the one that was used for looking
                found[int(entry.name)] = os.readlink(entry)  # noqa: PTH115 - not all of them are paths
    return Open(found, {thread.ident or 0: thread.name for thread in threading.enumerate()})


def warnings_of(app: str, before: Open) -> list[str]:
    """A sentence for each kind of thing that was opened since then, and that its children cannot share.

    Args:
        app: What opened it.
        before: What was open before its import.
    """
    now = what_is_open()
    new = {fd: name for fd, name in now.descriptors.items() if before.descriptors.get(fd) != name}
    files = list(_files(new))
    databases = [path for path, _ in files if _is_database(path)]
    written = [
        path
        for path, is_written in files
        if is_written and path not in databases and not path.endswith(_BESIDE_A_DATABASE)
    ]
    read = [path for path, is_written in files if not is_written and path not in databases]
    threads = [repr(name) for ident, name in now.threads.items() if ident not in before.threads]
    make = "make it in an @app.lifespan"
    said = [
        ("opened", _connections(new), f"{_SHARED}, and their answers mix; {make}"),
        ("opened the database", databases, f"{_SHARED}, which SQLite does not allow; {make}"),
        ("opened for writing", written, f"{_SHARED}, and what they write mixes or is lost; {make}"),
        ("opened", read, f"{_SHARED} and its position, and read each other's parts; {make}"),
        (
            "started the thread",
            threads,
            f"{_WHEN}: its children do not have it, and wait for it for ever; {make}",
        ),
    ]
    return [f"{app} {did} {named} {harm}" for did, things, harm in said if (named := _named(things))]


def _connections(descriptors: dict[int, str]) -> Iterator[str]:
    ends = Counter(name for name in descriptors.values() if name.startswith("pipe:"))
    tracker = _resource_tracker()
    for fd, name in descriptors.items():
        if name.startswith("socket:"):
            with suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:
                if found := _peer(connection):
                    yield found
        elif name.startswith("pipe:") and ends[name] == 1 and fd != tracker:
            yield "a pipe to another process"


def _peer(connection: socket.socket) -> str:
    if connection.type not in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        return ""
    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return f"a socket that listens at {_address(connection.getsockname())}"
    try:
        address = _address(connection.getpeername())
    except OSError:  # not connected, or not any more
        return ""
    return f"a socket to {address}" if address else ""


def _address(address: Any) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    return os.fsdecode(address).replace("\0", "@")


def _files(descriptors: dict[int, str]) -> Iterator[tuple[str, bool]]:
    """The path of each file that is open, and whether it is for writing."""
    logs = set(_log_files())
    for fd, path in descriptors.items():
        if fd in logs or not path.startswith("/") or path.endswith(" (deleted)"):
            continue
        with suppress(OSError):
            if not stat.S_ISREG(os.fstat(fd).st_mode) or path.startswith(("/proc/", "/sys/", "/dev/")):
                continue
            flags = _flags(fd)
            if not flags & os.O_APPEND:
                yield path, flags & os.O_ACCMODE != os.O_RDONLY


def _flags(fd: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii").splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))


def _is_database(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _log_files() -> Iterator[int]:
    for reference in getattr(logging, "_handlerList", ()):
        with suppress(Exception):  # a user's own handler may be anything
            yield reference().stream.fileno()


def _resource_tracker() -> object:
    """The pipe of multiprocessing, which is for all of them."""
    module = sys.modules.get("multiprocessing.resource_tracker")
    return getattr(getattr(module, "_resource_tracker", None), "_fd", None)


def _named(things: Iterable[str]) -> str:
    names = sorted(set(things))
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

"""A process that others are forked from: `python -m tests.forked.server KIND FD...`."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tests.forked.template import COMMAND, FORK_SERVER, known

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST: Final = 200_000  # bytes of words and environment
_MOST: Final = 5  # descriptors
_STANDARD: Final = 3


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Comes back in each process that is forked, with its request, once that has what it asks for."""
    gc.collect()
    gc.freeze()
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass  # who waited for one
        request, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, _MOST)
        if not request:
            os._exit(0)
        if not os.fork():
            requests.close()
            return _begin(json.loads(request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _begin(request: dict[str, Any], answers: int, *descriptors: int) -> dict[str, Any]:
    """Comes back in the process that was asked for; its parent tells how it ends."""
    if pid := os.fork():
        for descriptor in descriptors:
            os.close(descriptor)
        _tell_end(pid, answers)
    os.close(answers)
    for number, descriptor in enumerate(descriptors[:_STANDARD]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request.get("is_leader"):
        os.setsid()
    elif request.get("has_group"):
        os.setpgid(0, 0)
    _open_streams()
    os.chdir(request["directory"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    return request | {"descriptors": descriptors[_STANDARD:]}


def _open_streams() -> None:
    """As at the start of Python."""
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    streams = {
        "stdin": open(0, encoding=encoding, errors=errors),  # noqa: SIM115 - it stays open, as the others do
        "stdout": open(1, "w", encoding=encoding, errors=errors),  # noqa: SIM115
        "stderr": open(2, "w", 1, encoding=encoding, errors="backslashreplace"),  # noqa: SIM115
    }
    for name, stream in streams.items():
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _tell_end(pid: int, answers: int) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of its group: we stay to tell
    os.write(answers, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # who asked has gone
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _command(requests: int, of_fork_servers: int) -> None:
    """Comes back in each process; the command is run then."""
    import warrener
    from tests.forked.fork_server import use_template

    known[FORK_SERVER, os.environ.get("LD_PRELOAD", "")] = socket.socket(fileno=of_fork_servers)

    for found in pkgutil.walk_packages(warrener.__path__, "warrener."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    use_template()
    request = _serve(socket.socket(fileno=requests))
    sys.argv[1:] = request["words"]
    sys.path[0] = request["directory"]


def _fork_server(requests: int) -> Callable[[], None]:
    """Comes back in each process, with what it does."""
    del sys.path[0]  # as with -P
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    sys.orig_argv[1:] = ["-P", "-m", "warrener.worker.child", str(requests)]
    child = importlib.import_module("warrener.worker.child.__main__")
    aside = importlib.import_module("warrener.own_imports")
    sys.path[:] = aside._usual  # the rest depends on where it is
    request = _serve(socket.socket(fileno=requests))
    aside._set_users_aside()
    sys.argv[:] = [child.__file__ or "", str(request["descriptors"][0])]
    sys.modules["__main__"] = child
    main: Callable[[], None] = child.main
    return main


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    del sys.argv[1:]
    if kind == COMMAND:
        from warrener.cli import main  # before the module of that name is imported, too

        _command(*map(int, numbers))
    else:
        main = _fork_server(*map(int, numbers))
    main()

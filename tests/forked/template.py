"""The way to the processes that others are forked from; they end with who has started them."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMAND: Final = "command"  # `warrener`, with all that any of its verbs imports
FORK_SERVER: Final = "fork-server"  # of a worker, with what each of them imports

_PRELOAD: Final = "LD_PRELOAD"
# By kind, and by the libraries that come before the system's. A command is forked with the way to what the fork server of
# its worker is forked from.
known: dict[tuple[str, str], socket.socket] = {}

_ROOT: Final = Path(__file__).parents[2]


def fits(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment can be forked: what Python heeds when it starts is as with us."""
    return _heeded(environment) == _heeded(os.environ)


def ask(kind: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> socket.socket:
    """Have a process forked. What is returned tells its pid in a line, and, when it has ended, its exit code in another.

    Args:
        kind: From which.
        request: What it is to do.
        descriptors: What it has as its standard streams, and then others; ours stay open.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(
            template(kind, request["environment"].get(_PRELOAD, "")),
            [json.dumps({**request, "umask": _umask()}).encode()],
            [theirs.fileno(), *descriptors],
        )
    return ours


def template(kind: str, preload: str) -> socket.socket:
    """The way to the process that those of this kind, and with these libraries, are forked from."""
    key = kind, preload
    if key not in known:
        known[key] = _begin(kind, preload)
    return known[key]


# What follows is private.


def _begin(kind: str, preload: str) -> socket.socket:
    """Start it; it ends when what is returned is closed."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    # Commands have workers: those find the other template through theirs.
    further = [template(FORK_SERVER, preload)] if kind == COMMAND else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")}
    passed = [theirs.fileno(), *(each.fileno() for each in further)]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked.server", kind, *map(str, passed)],
            pass_fds=passed,
            env=environment | ({_PRELOAD: preload} if preload else {}),
            stdin=subprocess.DEVNULL,
            cwd=_ROOT,
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.kill()  # a command that was left behind may hold the way to it, too
        process.wait()

    atexit.register(end)
    return ours


def _heeded(environment: Mapping[str, str]) -> dict[str, str]:
    names = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "TZ")
    return {name: value for name, value in environment.items() if name.startswith(names) and name != _PRELOAD}


def _umask() -> int:
    mask = os.umask(0o077)  # there is no other way to ask
    os.umask(mask)
    return mask

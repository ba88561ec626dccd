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

# A command has the way to what its worker's fork server is forked from from whom it was forked from itself.
known: dict[str, socket.socket] = {}

_ROOT: Final = Path(__file__).parents[2]


def fits(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment can be forked: what Python and the linker heed when they start is ours."""
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
            template(kind),
            [json.dumps({**request, "umask": _umask()}).encode()],
            [theirs.fileno(), *descriptors],
        )
    return ours


def template(kind: str) -> socket.socket:
    """The way to the process that those of this kind are forked from."""
    if kind not in known:
        known[kind] = _begin(kind)
    return known[kind]


# What follows is private.


def _begin(kind: str) -> socket.socket:
    """Start it; it ends when what is returned is closed."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    # Commands have workers: those find the other template through theirs.
    further = [template(FORK_SERVER)] if kind == COMMAND else []
    passed = [theirs.fileno(), *(each.fileno() for each in further)]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked.server", kind, *map(str, passed)],
            pass_fds=passed,
            env={name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")},
            stdin=subprocess.DEVNULL,
            cwd=_ROOT,
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _heeded(environment: Mapping[str, str]) -> dict[str, str]:
    names = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "TZ")
    return {name: value for name, value in environment.items() if name.startswith(names)}


def _umask() -> int:
    mask = os.umask(0o077)  # there is no other way to ask
    os.umask(mask)
    return mask

"""Other users of this machine: they reach its own addresses, too, and what is on a queue is for its user alone."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Scope

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT: Final = 0


def is_stranger(scope: Scope) -> bool:
    """Whether a request's connection is another user's, as far as the system tells, which Linux does."""
    client, server = scope.get("client"), scope.get("server")
    if not client or not server:
        return False
    uid = _owner(_written(*client), _written(*server))
    return uid is not None and uid not in {_ROOT, os.geteuid()}


def _owner(local: str, remote: str) -> int | None:
    """The user whose socket has this local and this remote address; None where that is not known."""
    wanted = f"{local} {remote} "
    for table in _TABLES:
        with suppress(OSError):
            for line in table.read_text("ascii").splitlines()[1:]:
                if line.partition(": ")[2].startswith(wanted):
                    return int(line.split()[7])
    return None


def _written(host: str, port: int) -> str:
    """An address as the kernel's table writes it: each four bytes as one number of the machine's own order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"

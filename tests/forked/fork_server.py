"""Workers whose fork server is forked, too: a new one imports for a quarter of a second."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.forked.template import FORK_SERVER, ask, fits
from warrener.worker import fork_server

if TYPE_CHECKING:
    import socket

_anew: Final = fork_server._begin


def use_template() -> None:
    """From now on the workers of this process have such fork servers."""
    fork_server._begin = _forked  # type: ignore[assignment]


def use_none() -> None:
    """From now on they start them as those of users do."""
    fork_server._begin = _anew


class _Process:
    """With what `ForkServer` uses of a process of asyncio."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._answers = answers
        self._lock = asyncio.Lock()

    def kill(self) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        async with self._lock:
            if self.returncode is None:
                self.returncode = int(await _line(self._answers))
                self._answers.close()
        return self.returncode


async def _forked(control: int, printed: int) -> _Process | asyncio.subprocess.Process:
    environment = fork_server._environment()
    if not fits(environment):
        return await _anew(control, printed)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        request = {"directory": os.getcwd(), "environment": environment, "has_group": True}  # noqa: PTH109 - as text
        answers = ask(FORK_SERVER, request, [nothing, printed, printed, control])
    finally:
        os.close(nothing)
    answers.setblocking(False)
    return _Process(int(await _line(answers)), answers)


async def _line(answers: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        with suppress(ConnectionError):
            received = await asyncio.get_running_loop().sock_recv(answers, 1)
        assert received, "the process that fork servers are forked from has ended"
        line += received
    return line

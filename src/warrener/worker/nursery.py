"""The process that imports the app and forks the children, as the supervisor has it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.codec import encode
from warrener.errors import AppError, WarrenerError
from warrener.worker.frames import ChildSettings, Hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# One that is killed while it imports the app is tried so often.
_IMPORTS: Final = 3
_MAX_LINE: Final = 16 * 1024 * 1024


class Nursery:
    """The process, and the socket on which it is asked for children and tells of them."""

    def __init__(self) -> None:
        self.hello = Hello()
        self._is_ready = False
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def warm_up(self) -> None:
        """Have the process there before it is needed: it takes a tenth of a second to be.

        Raises:
            WarrenerError: The system does not let it be.
        """
        self._is_ready = False
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "warrener.worker.child",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=_environment(),
                process_group=0,  # Ctrl-C in a terminal is for us; it could come before the nursery ignores it
            )
        except OSError as error:
            raise WarrenerError(f"the system starts no process for the app: {error.strerror}") from error
        theirs.close()
        self._control = ours
        self._reader, self._writer = await asyncio.open_connection(sock=ours.dup(), limit=_MAX_LINE)

    async def start(self, settings: ChildSettings) -> None:
        """Import the app, once more after an end.

        Args:
            settings: What the children run.

        Raises:
            AppError: The app cannot be used.
        """
        for _ in range(_IMPORTS):
            if await self._has_imported(settings):
                return
            await self.end()
        raise AppError(
            f"app {settings.app!r} does not import: the process that imports it is killed each time, perhaps for "
            "lack of memory"
        )

    async def end(self) -> None:
        """End it, and every child with it."""
        if self._control and self._writer:
            self._control.close()
            self._writer.close()
        if self._process:
            if not self._is_ready:  # it reads nothing while it imports, which may take for ever
                with suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()  # it has seen its end of the socket close, and kills its children
            self._process = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked for children."""
        return self._is_ready and self._control is not None and self._control.fileno() >= 0

    def fork(self) -> socket.socket:
        """Ask for a child, after the start; our end of the socket to it."""
        assert self._control  # noqa: S101 - a nursery has started before anybody has it fork
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with suppress(OSError):
            socket.send_fds(self._control, [b"f"], [theirs.fileno()])
        theirs.close()
        return ours

    async def news(self) -> AsyncIterator[tuple[int, int | None]]:
        """Each child's process id, alone once it is forked, in the order asked for, and with its exit code once it has ended.

        0 and an error number for one that the system does not let be. There is no more when the nursery was killed.
        """
        # What it had not read yet when it was killed makes an error of its end.
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                message = msgspec.json.decode(line, type=dict[str, int])
                if "forked" in message:
                    yield message["forked"], None
                elif "refused" in message:
                    yield 0, message["refused"]
                else:
                    yield message["exited"], message["status"]

    async def _has_imported(self, settings: ChildSettings) -> bool:
        """False if it was killed meanwhile, which need not be the app's fault."""
        if self._process is None:
            await self.warm_up()
        assert self._process and self._control  # noqa: S101, PT018 - it is warm
        line = b""
        with suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._control, encode(settings) + b"\n")
            line = await self._reader.readline()
        if not line:
            if await self._process.wait() < 0:
                return False
            raise AppError(f"app {settings.app!r} does not import: it ends the process that imports it")
        self.hello = msgspec.json.decode(line, type=Hello)
        if self.hello.error:
            raise AppError(self.hello.error)
        self._is_ready = True
        return True


def _environment() -> dict[str, str]:
    # Handlers need not know the broker's password.
    return {name: value for name, value in os.environ.items() if name != "WARRENER_BROKER"}

"""The fork server as the supervisor has it: the process that imports the app and forks the children."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.address import BROKER_VARIABLE, EMBEDDED, WITHHELD
from warrener.codec import encode
from warrener.errors import AppError, WarrenerError
from warrener.worker.fork_messages import NUMBER_BYTES, News, decode_news
from warrener.worker.killing import kill_all
from warrener.worker.manifest import AppManifest, ChildSettings
from warrener.worker.printed import ServerOutput
from warrener.worker.printer import Printer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

# One that is killed while it imports the app is tried so often.
_IMPORTS: Final = 3
# Seconds that it gets to end. One that is stopped, or stuck in a fork since a library waits for something there, never does.
_ENDS_WITHIN: Final = 5.0
_MAX_LINE: Final = 16 * 1024 * 1024
# Seconds until the system is asked again to pass a socket on, when too many are on their way.
_PASS_AGAIN: Final = 0.05


class ForkServer:
    """The process, and the socket on which it is asked for children and tells of them."""

    def __init__(self) -> None:
        self.manifest = AppManifest()
        self._is_ready = False
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0
        self._requests: deque[tuple[int, socket.socket, int]] = deque()  # those that found no room yet
        self._output: ServerOutput | None = None
        self._loop = asyncio.get_running_loop()

    async def warm_up(self) -> None:
        """Have the process there before it is needed: it takes a tenth of a second to be.

        Raises:
            WarrenerError: The system does not start it.
        """
        self._is_ready = False
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        output, printed = os.pipe()
        try:
            self._process = await _begin(theirs.fileno(), printed)
        except OSError as error:
            os.close(output)
            raise WarrenerError(f"cannot start a process for the app: {error.strerror}") from error
        finally:
            os.close(printed)
        theirs.close()
        self._output = ServerOutput(output, Printer())
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

    async def end(self, children: Iterable[int] = ()) -> None:
        """End it, and every child with it.

        Args:
            children: By their process ids, for where it does not do so itself.
        """
        if self._control and self._writer:
            self._drop_requests()
            self._control.close()
            self._writer.close()
        if self._process:
            # While it imports it reads nothing, which may take for ever.
            patience = _ENDS_WITHIN if self._is_ready else 0
            try:
                async with asyncio.timeout(patience):
                    await (
                        self._process.wait()
                    )  # it has seen its end of the socket close, and kills its children
            except TimeoutError:
                for child in children:
                    kill_all(child)
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
            self._process = None
            if self._output:
                self._output.close()

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked for children."""
        return self._is_ready and self._control is not None and self._control.fileno() >= 0

    def fork(self) -> tuple[int, socket.socket, int]:
        """Ask for a child, after the start: the request's number, our end of its socket, and of the pipe that it prints into.

        The news repeat the number.

        Raises:
            OSError: There can be no more sockets or pipes.
        """
        output, printed = os.pipe()
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            os.close(output)
            os.close(printed)
            raise
        ours.setblocking(False)
        self._number += 1
        self._requests.append((self._number, theirs, printed))
        if len(self._requests) == 1:
            self._send_requests()
        return self._number, ours, output

    async def news(self) -> AsyncIterator[News]:
        """What became of each request and of each child. There is no more when the fork server was killed."""
        # What it had not read yet when it was killed makes an error of its end.
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                yield decode_news(line)

    def _send_requests(self) -> None:
        """Those for which there is room on the socket; it holds some 280."""
        control = self._control
        while self._requests and control and control.fileno() >= 0:
            number, theirs, printed = self._requests[0]
            try:
                socket.send_fds(control, [number.to_bytes(NUMBER_BYTES, "big")], [theirs.fileno(), printed])
            except BlockingIOError:
                self._loop.add_writer(control, self._send_requests)
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    self._loop.call_later(_PASS_AGAIN, self._send_requests)
                    return
                self._drop_requests()  # it was killed, and its news end
                return
            self._requests.popleft()
            theirs.close()
            os.close(printed)
        if control and control.fileno() >= 0:
            self._loop.remove_writer(control)

    def _drop_requests(self) -> None:
        if self._control and self._control.fileno() >= 0:
            self._loop.remove_writer(self._control)
        for _, theirs, printed in self._requests:
            theirs.close()
            os.close(printed)
        self._requests.clear()

    async def _has_imported(self, settings: ChildSettings) -> bool:
        """False if it was killed meanwhile, which need not be the app's fault."""
        if self._process is None:
            await self.warm_up()
        assert self._process and self._control  # noqa: S101, PT018 - it is warm
        line = b""
        with suppress(ConnectionError):
            await self._loop.sock_sendall(self._control, encode(settings) + b"\n")
            line = await self._reader.readline()
        if not line:
            if await self._process.wait() < 0:
                return False
            raise AppError(f"app {settings.app!r} does not import: it ends the process that imports it")
        self.manifest = msgspec.json.decode(line, type=AppManifest)
        if self.manifest.error:
            raise AppError(self.manifest.error)
        self._is_ready = True
        return True


async def _begin(control: int, printed: int) -> asyncio.subprocess.Process:
    """Start the process, which is asked at this end of its socket and prints here."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # never from the working directory
        "-m",
        "warrener.worker.child",
        str(control),
        pass_fds=[control],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=printed,
        stderr=printed,
        env=_environment(),
        process_group=0,  # Ctrl-C in a terminal is for us; it could come before the fork server ignores it
    )


def _environment() -> dict[str, str]:
    # Handlers need not know the broker's password; and one that publishes must not take another broker for it.
    broker = os.environ.get(BROKER_VARIABLE, "")
    if broker in ("", EMBEDDED) or broker.startswith("sqlite:"):
        return dict(os.environ)
    return {**os.environ, BROKER_VARIABLE: WITHHELD}

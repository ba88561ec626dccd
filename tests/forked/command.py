"""The command `warrener`, forked."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING, Self

from tests.forked.template import COMMAND, ask

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class BegunCommand:
    """One that runs, with what tests use of `subprocess.Popen`.

    Args:
        answers: What tells its pid, and later its exit code.
        stdin: Our end of its standard input, if we have one.
    """

    def __init__(self, answers: socket.socket, stdin: IO[bytes] | None = None) -> None:
        self._answers = answers
        self._said = b""
        self.returncode: int | None = None
        self.stdin = stdin
        self.pid = int(self._line(None) or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.stdin:
            self.stdin.close()
        self.wait()

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code at its end.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time, in seconds.
        """
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._answers.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes:
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._said:
            self._answers.settimeout(None if end is None else max(0.0, end - time.monotonic()))
            try:
                received = self._answers.recv(100)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("warrener", timeout or 0) from None
            assert received, "the process that commands are forked from has ended"
            self._said += received
        line, _, self._said = self._said.partition(b"\n")
        return line


def begin(
    words: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    stdin: int | None,
    stdout: int,
    stderr: int,
    is_leader: bool = False,
) -> BegunCommand:
    """Begin `warrener WORDS`, as `subprocess.Popen` does.

    Args:
        words: What follows the command's name.
        directory: Where.
        environment: All of it; it must be one that fits.
        stdin: A descriptor, `subprocess.PIPE`, or None for an empty one.
        stdout: A descriptor or `subprocess.DEVNULL`.
        stderr: A descriptor.
        is_leader: Of a session of its own.
    """
    request = {
        "words": [*words],
        "directory": str(directory),
        "environment": {**environment},
        "is_leader": is_leader,
    }
    with ExitStack() as stack:
        nothing = os.open(os.devnull, os.O_RDWR)
        stack.callback(os.close, nothing)
        ours = None
        if stdin == subprocess.PIPE:
            stdin, end = os.pipe()
            stack.callback(os.close, stdin)
            ours = os.fdopen(end, "wb")
        its_out = nothing if stdout == subprocess.DEVNULL else stdout
        standard = [nothing if stdin is None else stdin, its_out, stderr]
        return BegunCommand(ask(COMMAND, request, standard), ours)


def run(
    words: Sequence[str], directory: Path, environment: Mapping[str, str], text: str | None, patience: float
) -> subprocess.CompletedProcess[str]:
    """Run `warrener WORDS` to its end, as `subprocess.run` does.

    Args:
        words: What follows the command's name.
        directory: Where.
        environment: All of it; it must be one that fits.
        text: For its standard input; that is empty without it.
        patience: Seconds after which it is killed.
    """
    (our_out, its_out), (our_err, its_err) = os.pipe(), os.pipe()
    with ThreadPoolExecutor(3) as threads:
        try:
            command = begin(
                words, directory, environment, stdin=subprocess.PIPE, stdout=its_out, stderr=its_err
            )
        finally:
            os.close(its_out)
            os.close(its_err)
        assert command.stdin
        threads.submit(_write, command.stdin, (text or "").encode())
        said = [threads.submit(_read, end) for end in (our_out, our_err)]
        try:
            code = command.wait(patience)
        except subprocess.TimeoutExpired:
            command.kill()
            raise
        return subprocess.CompletedProcess(words, code, *(each.result() for each in said))


def _write(pipe: IO[bytes], text: bytes) -> None:
    with suppress(BrokenPipeError), pipe:
        pipe.write(text)


def _read(end: int) -> str:
    with open(end) as pipe:
        return pipe.read()

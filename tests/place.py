"""A directory to run the command in, as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests import forked
from tests.batch import PATIENCE, eventually
from warrener.address import Address
from warrener.brokers import connect
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Broker

WARRENER: Final = [sys.executable, "-m", "warrener"]


class Place:
    """A directory to run commands in; what still runs at its end is killed.

    Args:
        path: The directory.
        address: The queue; the embedded broker's usual one without it.
    """

    def __init__(self, path: Path, address: Address | None = None) -> None:
        self.path = path
        self.address = address or Address(f"sqlite:{path / '.warrener' / 'work-queue.db'}")
        self.environment = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        if address:
            self.environment |= {"WARRENER_BROKER": address.broker, "WARRENER_QUEUE": address.queue}
            if address.management:
                self.environment["WARRENER_MANAGEMENT"] = address.management
        self._begun: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._begun:
            running.end(signal.SIGKILL)

    def warrener(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        if forked.fits(self.environment):
            return forked.run(words, self.path, self.environment, text, 2 * PATIENCE)
        return self.run(*WARRENER, *words, text=text)

    def run(self, *command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run any command to its end, in the directory and with the environment that ours have."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def begin(
        self,
        *words: str,
        stdin: int | None = None,
        stdout: int = subprocess.DEVNULL,
        stderr: int | None = None,
        is_leader: bool = False,
        is_fresh: bool = False,
    ) -> Running:
        """Start a command; what it says is kept, unless it has another stderr.

        Args:
            words: What follows the command's name.
            stdin: A descriptor, `subprocess.PIPE`, or None for an empty one.
            stdout: A descriptor, or `subprocess.DEVNULL`.
            stderr: A descriptor.
            is_leader: Of a session of its own.
            is_fresh: Start Python anew: where a test looks at command lines or at parents of processes, leaves signals
                ignored, or takes away a terminal.
        """
        said = self.path / f"said-{len(self._begun) + 1}"
        with said.open("wb") as file:
            begin = self._begin_fresh if is_fresh or not forked.fits(self.environment) else self._begin_forked
            process = begin(
                words, stdin=stdin, stdout=stdout, stderr=stderr or file.fileno(), is_leader=is_leader
            )
        self._begun.append(Running(process, said))
        return self._begun[-1]

    def _begin_forked(
        self, words: Sequence[str], *, stdin: int | None, stdout: int, stderr: int, is_leader: bool
    ) -> forked.BegunCommand:
        return forked.begin(
            words,
            self.path,
            self.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            is_leader=is_leader,
        )

    def _begin_fresh(
        self, words: Sequence[str], *, stdin: int | None, stdout: int, stderr: int, is_leader: bool
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*WARRENER, *words],
            cwd=self.path,
            env=self.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=is_leader,
        )

    async def has_ready(self, count: int) -> None:
        """Wait until at least so many tasks are ready."""
        await self._has("ready", count)

    async def has_completed(self, count: int) -> None:
        """Wait until at least so many tasks have completed."""
        await self._has("completed", count)

    async def _has(self, state: str, count: int) -> None:
        async with AsyncExitStack() as stack:
            broker: Broker | None = None

            async def are_there() -> bool:
                nonlocal broker
                with suppress(QueueMissing):
                    if broker is None:
                        broker = await stack.enter_async_context(connect(self.address))
                    return int(getattr(await broker.counts(), state)) >= count
                return False

            await eventually(are_there)

    def tasks(self, tasks: Sequence[object], name: str = "tasks.jsonl") -> str:
        """Write a file of tasks."""
        (self.path / name).write_text("".join(json.dumps(task) + "\n" for task in tasks))
        return name

    def rows(self, name: str) -> list[dict[str, object]]:
        """Read a file of JSON lines."""
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]


def _is_ours(variable: str) -> bool:
    return variable.startswith(("WARRENER_", "PYTEST_"))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], check=False, capture_output=True, text=True)
    return [int(child) for child in found.stdout.split()]


async def has_ended(pid: int) -> None:
    """Wait for the end of a process that may be nobody's child."""

    async def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    await eventually(is_gone)


class Running:
    """A command that was started, and what it says on stderr."""

    def __init__(self, process: subprocess.Popen[bytes] | forked.BegunCommand, said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._said.read_text()

    async def says(self, words: str, *, after: str = "") -> None:
        """Wait until it has said this, after what it had said before."""

        async def has_said() -> bool:
            has_ended = self.process.poll() is not None
            is_said = words in self.said[len(after) :]
            assert is_said or not has_ended, f"it ended without saying {words!r}: {self.said}"
            return is_said

        await eventually(has_said)

    def end(self, number: int | None = None) -> int:
        """Its exit code, after a signal or at its own end."""
        if number is not None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended: {self.said}") from None
        finally:
            self.process.kill()
            if self.process.stdin:
                self.process.stdin.close()

"""Any command as a handler: the task's JSON on stdin, the result's JSON on stdout, the exit code decides."""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from warrener.codec import NOT_JSON, encode_task
from warrener.errors import PermanentError, TransientError
from warrener.exit_codes import Exit
from warrener.handler import Handler
from warrener.models import Task  # noqa: TC001 - by its annotation a handler is given it
from warrener.retry import RetryPolicy
from warrener.values.strict_json import RepeatedKey, decode_output, why_not
from warrener.worker.command_line import CommandLine
from warrener.worker.killing import name_of
from warrener.worker.untraced import Untraced

if TYPE_CHECKING:
    from warrener.worker.manifest import ChildSettings

_CHUNK: Final = 1 << 16
_TICK: Final = 0.05
# The pipes of a command that has ended hold no more than so many chunks, unless somebody else goes on writing.
_MOST_UNREAD_CHUNKS: Final = 32


class CommandFailed(Untraced, TransientError):  # noqa: N818 - its name is what users read
    """A command has ended badly, which may be otherwise the next time."""


class CommandRefused(Untraced, PermanentError):  # noqa: N818 - its name is what users read
    """A task that its command cannot do."""


def command_handler(settings: ChildSettings) -> Handler:
    """A handler for every type of task that runs a command.

    Exit 0 completes the task with what the command wrote to stdout (JSON; nothing at all is null), 65 fails it for
    good, 75 and everything else is tried again. Stderr is printed as it comes, and so is the stdout of one that fails.

    Args:
        settings: The command, and its limits.

    Raises:
        AppError: The command line cannot be read, or there is no such command.
    """
    line = CommandLine(settings.command, is_shell=settings.is_shell)

    def run(task: Task) -> Any:
        code, output, errors = _run(line.words(task), encode_task(task) + b"\n", settings.max_result)
        if code == 0:
            return _value(output)
        _print(output)
        ended = _how(code)
        message = f"{ended}: {_last_line(errors)}" if errors.strip() else ended
        raise (CommandRefused if code == Exit.BAD_TASK else CommandFailed)(message)

    return Handler("*", run, policy=RetryPolicy(settings.retries), timeout=settings.timeout)


def _run(words: list[str], task: bytes, max_output: int) -> tuple[int, bytes, bytes]:
    """The exit code of a command, its output, and the end of what it wrote to stderr.

    It has ended when its process has, even if another that it left behind holds its output open.

    Raises:
        CommandRefused: It cannot be started with these words, or writes more than it may.
        CommandFailed: It cannot be started.
    """
    output, errors = bytearray(), bytearray()
    with _started(words) as process, selectors.DefaultSelector() as selector:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - for mypy
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, errors)
        unread_chunks = _MOST_UNREAD_CHUNKS
        while selector.get_map():
            has_ended = process.poll() is not None
            events = [key for key, _ in selector.select(0 if has_ended else _TICK)]
            if has_ended:
                unread_chunks -= 1
                events = [key for key in events if key.fileobj is not process.stdin]
                if not events or not unread_chunks:
                    break
            for key in events:
                if key.fileobj is process.stdin:
                    task = _write(key.fd, task)
                    if not task:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif data := os.read(key.fd, _CHUNK):
                    key.data.extend(data)
                    if key.data is errors:
                        sys.stderr.buffer.write(data)
                else:
                    selector.unregister(key.fileobj)
            del errors[:-_CHUNK]
            if len(output) > max_output:
                process.kill()
                raise CommandRefused(f"the command writes more than {max_output:,} bytes to stdout")
    return process.returncode, bytes(output), bytes(errors)


def _started(words: list[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe)
    except (ValueError, OSError) as error:
        # A NUL in a word, or more than the system takes: it is this task's data.
        is_of_task = isinstance(error, ValueError) or error.errno == errno.E2BIG
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise (CommandRefused if is_of_task else CommandFailed)(
            f"command {words[0]!r} cannot be started: {said}"
        ) from None


def _print(output: bytes) -> None:
    sys.stdout.buffer.write(output)
    if output and not output.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")


def _write(stdin: int, task: bytes) -> bytes:
    """What is left to be written; nothing where the command does not want it."""
    try:
        return task[os.write(stdin, task[:_CHUNK]) :]
    except BrokenPipeError:
        return b""


def _value(output: bytes) -> Any:
    if not output.strip():
        return None
    try:
        return decode_output(output)
    except (RepeatedKey, *NOT_JSON) as error:
        _print(output)
        raise CommandRefused(
            f"the command's output is no JSON ({why_not(error, output)}); write the result as one JSON value"
        ) from None


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {name_of(-code)}"


def _last_line(errors: bytes) -> str:
    return errors.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]

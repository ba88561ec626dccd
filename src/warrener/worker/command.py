"""Any command as a handler: the task's JSON on stdin, the result's JSON on stdout, the exit code decides."""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import subprocess
from typing import Any, Final

import msgspec

from warrener.codec import NOT_JSON, encode_task
from warrener.errors import AppError, PermanentError, TransientError
from warrener.exit_codes import Exit
from warrener.handler import Handler
from warrener.models import MAX_TRACEBACK, Task
from warrener.retry import RetryPolicy
from warrener.text import cut
from warrener.worker.killing import name_of

_CHUNK: Final = 1 << 16
_TICK: Final = 0.05
# The pipes of a command that has ended hold no more than so many chunks, unless somebody else goes on writing.
_MOST_UNREAD_CHUNKS: Final = 32


def command_handler(command: str, timeout: float | None, retries: int, max_output: int) -> Handler:
    """A handler for every type of task that runs a command.

    Exit 0 completes the task with what the command wrote to stdout (JSON; nothing at all is null), 65 fails it for
    good, 75 and everything else is tried again. The end of stderr becomes the attempt's traceback.

    Args:
        command: A command line, quoted as for a shell; it is run without one.
        timeout: Seconds; None for no limit.
        retries: How many times a failed task is tried again.
        max_output: A command may write so many bytes to stdout.

    Raises:
        AppError: The command line cannot be read, or there is no such command.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise AppError(f"command {command!r} cannot be read: {error}") from error
    if not words or not shutil.which(words[0]):
        raise AppError(f"command {command!r} does not exist or is not executable")

    def run(task: Task) -> Any:
        code, output, errors = _run(words, encode_task(task) + b"\n", max_output)
        if code == 0:
            return _value(output)
        ended = _how(code)
        message = f"{ended}: {_last_line(errors)}" if errors.strip() else ended
        kind = PermanentError if code == Exit.BAD_TASK else TransientError
        error = kind(message)
        error.add_note(cut(errors.decode("utf-8", "replace"), MAX_TRACEBACK // 2, keep_end=True))
        raise error

    return Handler("*", run, policy=RetryPolicy(retries), timeout=timeout)


def _run(words: list[str], task: bytes, max_output: int) -> tuple[int, bytes, bytes]:
    """The exit code of a command, its output, and the end of what it wrote to stderr.

    It has ended when its process has, even if another that it left behind holds its output open.

    Raises:
        PermanentError: It writes more than it may.
    """
    output, errors = bytearray(), bytearray()
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe) as process,
        selectors.DefaultSelector() as selector,
    ):
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
                else:
                    selector.unregister(key.fileobj)
            del errors[:-_CHUNK]
            if len(output) > max_output:
                process.kill()
                raise PermanentError(f"the command writes more than {max_output:,} bytes to stdout")
    return process.returncode, bytes(output), bytes(errors)


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
        return msgspec.json.decode(output)
    except NOT_JSON as error:
        raise PermanentError(
            f"the command's output is no JSON ({error}); write the result as one JSON value"
        ) from None


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {name_of(-code)}"


def _last_line(errors: bytes) -> str:
    return errors.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]

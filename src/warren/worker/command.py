"""Any command as a handler: the task's JSON on stdin, the result's JSON on stdout, the exit code decides."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from typing import Any, Final

import msgspec

from warren.app import Handler
from warren.errors import AppError, PermanentError, TransientError
from warren.retries import RetryPolicy
from warren.tasks import MAX_TRACEBACK, NO_JSON, Task, cut, encode

EX_DATAERR: Final = 65  # sysexits.h: the task itself is at fault
EX_TEMPFAIL: Final = 75  # sysexits.h: try again later


def command_handler(command: str, timeout: float | None, retries: int) -> Handler:
    """A handler for every type of task that runs a command.

    Exit 0 completes the task with what the command wrote to stdout (JSON; nothing at all is null), 65 fails it for
    good, 75 and everything else is tried again. The end of stderr becomes the attempt's traceback.

    Args:
        command: A command line, quoted as for a shell; it is run without one.
        timeout: Seconds; None for no limit.
        retries: How many times a failed task is tried again.

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
        done = subprocess.run(words, input=encode(task) + b"\n", capture_output=True, check=False)
        if done.returncode == 0:
            return _value(done.stdout)
        ended = _how(done.returncode)
        message = f"{ended}: {_last_line(done.stderr)}" if done.stderr.strip() else ended
        kind = PermanentError if done.returncode == EX_DATAERR else TransientError
        error = kind(message)
        error.add_note(cut(done.stderr.decode("utf-8", "replace"), MAX_TRACEBACK // 2, keep_end=True))
        raise error

    return Handler("*", run, policy=RetryPolicy(retries), timeout=timeout)


def _value(output: bytes) -> Any:
    if not output.strip():
        return None
    try:
        return msgspec.json.decode(output)
    except NO_JSON as error:
        raise PermanentError(
            f"the command's output is no JSON ({error}); write the result as one JSON value"
        ) from None


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def _last_line(errors: bytes) -> str:
    return errors.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]

"""Every exit code of the command, and those that it understands of others."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How the command ends. The codes above 63 are those of sysexits.h."""

    OK = 0
    DRAINED = OK
    """A worker's queue is empty."""
    FAILED = 1
    """It was done, and a task failed; or what was asked about is not well."""
    USAGE = 2
    """What was asked for cannot be done: the command, a file or an app must be mended."""
    BROKER = 3
    """The broker or the cluster cannot do it now, or not for us."""
    BAD_TASK = 65
    """Of a command that is a handler: the task itself is at fault, and trying again cannot help."""
    STOPPED = 75
    """A worker stopped with work left, or its broker is lost for good: start another."""
    UNFIT = 78
    """A worker can never work: the app does not import, credentials are refused, the queue is missing."""
    INTERRUPTED = 130
    """Ctrl-C."""

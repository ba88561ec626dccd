"""Killing a child with what its handlers have started, and how one ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_all(pid: int) -> None:
    """Kill a child, its process group, and (on Linux) those it has started in groups of their own.

    What a handler has made a daemon, no child of anyone's any more, goes on: that is what daemons are for.
    """
    with suppress(OSError):
        os.killpg(pid, signal.SIGSTOP)  # or it might start more meanwhile
    started = _descendants(pid)
    kill_group(pid)
    for other in (pid, *started):  # a handler may have moved its own process into another group
        with suppress(OSError):
            os.kill(other, signal.SIGKILL)


def kill_group(pid: int) -> None:
    """Kill what is left of a child that has ended: its process group."""
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # it grows meanwhile
        with suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text("ascii").split())
    return found[1:]


def name_of(number: int) -> str:
    """A signal's name, or its number where it has none."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def how_ended(status: int) -> str:
    """How a child ended, as a sentence; below zero its status is a signal's number."""
    if status >= 0:
        return f"its process ended with exit code {status}"
    hint = ", perhaps for lack of memory" if -status == signal.SIGKILL else ""
    return f"its process was killed by {name_of(-status)}{hint}"

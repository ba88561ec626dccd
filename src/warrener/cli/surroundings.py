"""What the process of a command finds where it is started: streams that are closed, and signals that are ignored."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Final

STREAMS: Final = (("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
"""What a closed one is opened for: nothing can be read from stdin, nothing written to stdout, as before, and what is said to
people on stderr goes nowhere."""


def open_streams() -> None:
    """See that the descriptors 0 to 2 are open, or a socket or a database would get one of them, with all that is printed."""
    for descriptor, (name, way) in enumerate(STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, way)  # which gets the lowest descriptor that is free
            if name != "stdin":
                # Without a buffer, of which Python would have a word to say at the end.
                stream = io.TextIOWrapper(open(descriptor, "wb", 0, closefd=False), write_through=True)  # noqa: SIM115 - as Python's own
                setattr(sys, name, stream)


def end_streams() -> None:
    """Have nothing left in the buffers of stdout and stderr that cannot be written: Python would exit with 120 for it.

    That is so of a terminal that is gone and of a full disk; whoever needs to know was told when it was written.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def stop_signals() -> list[signal.Signals]:
    """Those that ask a process to end: SIGHUP, too, by which a terminal says that it is gone, unless `nohup` has it ignored."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGTERM, *hangup]

"""The command line: one file per verb, each of them parsing, calling the library and printing."""

from __future__ import annotations

import signal
import sys
from typing import Final

_STOPPED: Final = 75
_INTERRUPTED: Final = 130


def main() -> None:
    """The `warren` command."""
    if sys.argv[1:2] == ["work"]:
        # Told to stop before it has begun: no crash. As a container's first process it would not even hear of it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_STOPPED))
    try:
        from warren.cli.main import app

        app()
    except KeyboardInterrupt:  # so early that no verb had begun
        sys.exit(_INTERRUPTED)

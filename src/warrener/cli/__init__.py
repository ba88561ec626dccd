"""The command line: one file per verb, each of them parsing, calling the library and printing."""

from __future__ import annotations

import signal
import sys
from typing import IO, Final, Protocol, runtime_checkable


@runtime_checkable
class _CommandLineError(Protocol):
    """What typer raises when it cannot read the command line, wherever it has its classes from."""

    exit_code: int

    def show(self, file: IO[str] | None = None) -> None:
        """Write the usage and the reason."""


_STOPPED: Final = 75
_INTERRUPTED: Final = 130


def main() -> None:
    """The `warrener` command."""
    if sys.argv[1:2] == ["work"]:
        # Told to stop before it has begun: no crash. As a container's first process it would not even hear of it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_STOPPED))
    try:
        from warrener.cli.main import app

        sys.exit(app(standalone_mode=False))
    except KeyboardInterrupt:  # so early that no verb had begun
        sys.exit(_INTERRUPTED)
    except Exception as error:
        _end(error)
        raise


def _end(error: Exception) -> None:
    """End as typer does when the command line is wrong, but repeat the words that are wrong as a terminal may have them."""
    import io

    import typer

    from warrener.cli.printing import say

    if isinstance(error, typer.Abort):
        say("Aborted!")
        sys.exit(1)
    if isinstance(error, _CommandLineError):
        told = io.StringIO()
        error.show(told)
        for line in told.getvalue().removesuffix("\n").split("\n"):
            say(line)
        sys.exit(error.exit_code)

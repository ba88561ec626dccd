"""The command line: one file per verb, each of them parsing, calling the library and printing."""

from __future__ import annotations

import errno
import sys
from typing import Final

_NOT_WRITTEN: Final = {errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EIO}


def main() -> None:
    """The `warrener` command."""
    import signal

    from warrener.cli.surroundings import end_streams, open_streams, stop_signals
    from warrener.exit_codes import Exit

    open_streams()
    if sys.argv[1:2] == ["work"]:
        # Told to stop before it has begun: no crash. As a container's first process it would not even hear of it.
        for number in stop_signals():
            signal.signal(number, lambda *_: sys.exit(Exit.STOPPED))
    try:
        from warrener.cli.main import app

        sys.exit(app(prog_name="warrener", standalone_mode=False))
    except KeyboardInterrupt:  # so early that no verb had begun
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:
        _end(error)
        raise
    finally:
        end_streams()


def _end(error: Exception) -> None:
    """End as click does when the command line is wrong, but repeat the words that are wrong as a terminal may have them."""
    import io

    import click

    from warrener.cli.printing import say
    from warrener.exit_codes import Exit

    if isinstance(error, OSError) and error.errno in _NOT_WRITTEN and _is_of_stdout(error):
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        say(f"warrener: stdout cannot be written: {why}")
        sys.exit(Exit.USAGE)
    if isinstance(error, click.Abort):  # Ctrl-C at a question
        sys.exit(Exit.INTERRUPTED)
    if isinstance(error, click.ClickException):
        told = io.StringIO()
        error.show(told)
        for line in told.getvalue().removesuffix("\n").split("\n"):
            say(line)
        sys.exit(error.exit_code)


def _is_of_stdout(error: OSError) -> bool:
    """Whether it is an error of printing: a temporary directory may be full, too."""
    from traceback import walk_tb

    import click

    *_, (last, _) = walk_tb(error.__traceback__)
    return last.f_code is click.echo.__code__

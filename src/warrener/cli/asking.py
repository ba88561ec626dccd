"""Questions before something is dropped for ever."""

from __future__ import annotations

import click

from warrener.cli.ending import failed
from warrener.cli.printing import say
from warrener.exit_codes import Exit
from warrener.text import plain


def make_sure(question: str) -> None:
    """Go on if the answer is yes; otherwise the verb ends, and has done nothing."""
    try:
        is_wanted = click.confirm(plain(question), err=True)
    except (click.Abort, RuntimeError, OSError) as error:  # RuntimeError: there is no stdin at all
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        say("")
        raise failed("nothing was done: nobody is there to answer; --yes answers", Exit.USAGE) from None
    if not is_wanted:
        raise failed("nothing was done", Exit.FAILED)

"""The command line: one file per verb, each of them parsing, calling the library and printing."""

from __future__ import annotations

import sys
from typing import Final

_INTERRUPTED: Final = 130


def main() -> None:
    """The `warren` command."""
    try:
        from warren.cli.main import app

        app()
    except KeyboardInterrupt:  # so early that no verb had begun
        sys.exit(_INTERRUPTED)

"""The file that a command runs, looked at before the first task: what the system would say of each one tells little."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Final

_LONGEST_FIRST_LINE: Final = 256  # of a script; Linux reads no more


def why_it_cannot_run(word: str, text: str) -> str:
    """Why a program cannot be started, and the way out; empty if it can, as far as can be told.

    Args:
        word: Its name or path.
        text: The whole command.
    """
    found = shutil.which(word)
    if found is None:
        if Path(word).is_file():
            return f"is not executable: `chmod +x {shlex.quote(word)}` makes it so"
        if Path(text).is_file():
            return "has blanks in its path: quote it, as a shell wants it"
        return "does not exist or is not executable"
    return _why_no_script(found)


def _why_no_script(found: str) -> str:
    try:
        with open(found, "rb") as file:  # noqa: PTH123 - as found on the PATH
            begin = file.read(_LONGEST_FIRST_LINE)
    except OSError:  # it may be run without being read
        return ""
    line, _, _ = begin.partition(b"\n")
    if begin.startswith(b"#!") and line.endswith(b"\r"):
        return f"has line ends of Windows, and so its first line names no program: `sed -i 's/\\r$//' {shlex.quote(found)}` mends it"
    if not begin.startswith(b"#!") and b"\0" not in begin and begin.isascii():
        return "is a script without a first line as #!/bin/sh, which says what runs it: write one"
    return ""

"""Who runs what, as a queue's journal remembers it, and the name of the queue that a batch gets by itself."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final
from uuid import uuid4

from warrener.address import DEFAULT_QUEUE, Address
from warrener.errors import UsageError
from warrener.journal import STDIN_SOURCE, Begun
from warrener.sources import count_lines

_STDIN: Final = "-"


def begun_now(tasks: str, app: str = "") -> Begun:
    """The record of a run that begins now, here.

    Args:
        tasks: The file of tasks; `-` for stdin.
        app: As `warrener run` takes it; empty where tasks are only published.

    Raises:
        UsageError: The file cannot be read.
    """
    is_file = tasks != _STDIN
    source = str(Path(tasks).resolve()) if is_file else STDIN_SOURCE
    return begun_from(source, app, count_lines(tasks) if is_file else None)


def begun_from(source: str, app: str, planned: int | None) -> Begun:
    """The record of a run that begins now, here.

    Args:
        source: Where on this host its tasks come from.
        app: As `begun_now` takes it.
        planned: How many tasks there will be, where that is known.
    """
    host = socket.gethostname()
    module, _, name = app.partition(":")
    file = _file_of(module)
    place = f"{host}:{file}" if file else module
    return Begun(
        uuid4().hex,
        f"{host}:{source}",
        time.time(),
        f"{place}:{name}" if name else place,
        _digest(file),
        who(),
        planned,
    )


def who() -> str:
    """Who does this, here: `user@host`."""
    return f"{_user()}@{socket.gethostname()}"


def queue_named_after(tasks: str) -> str:
    """The name of a batch's own queue: that of its file, without its ending; a name that no queue can have is changed.

    Args:
        tasks: The file; `-` for stdin, which gives the default queue.
    """
    return queue_named(Path(tasks.removesuffix(".gz")).stem if tasks != _STDIN else "")


def queue_named(wanted: str) -> str:
    """A queue's name that is as near as can be to what is wanted; the default one where nothing is left of that."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-.")[:200]
    with suppress(UsageError):
        return Address(queue=name).queue
    return DEFAULT_QUEUE


def _file_of(app: str) -> Path | None:
    """The file of an app, however it is given; None of a module that is not here, which is known by its name alone."""
    if app.endswith(".py"):
        return Path(app).resolve()
    parts = app.split(".")
    if all(map(str.isidentifier, parts)):
        # As Python looks for it: in the working directory first, a package before a module.
        place = Path(*parts)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                return file.resolve()
    return None


def _digest(app: Path | None) -> str:
    try:
        return blake2b(app.read_bytes(), digest_size=16).hexdigest() if app else ""
    except OSError:  # whoever imports it says why
        return ""


def _user() -> str:
    with suppress(OSError, KeyError):  # a container's user may have no name
        return getpass.getuser()
    return str(os.getuid())

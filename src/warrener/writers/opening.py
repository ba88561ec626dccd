"""Where rows go: a file, a pipe or a device, or stdout."""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from warrener.errors import UsageError
from warrener.text import escape_json
from warrener.writers.atomic import atomic_file, closing
from warrener.writers.errors import writing
from warrener.writers.writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.writers.formats import Format

STDOUT: Final = "-"
_DEV_STDOUT: Final = "/dev/stdout"  # where it leads to may have no name, as a pipe
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")


@contextmanager
def opened(path: str, form: Format) -> Iterator[ResultWriter]:
    """A writer of results to a path, `-` for stdout. The file appears when the block ends well, whole and safe on disk.

    What is no regular file, as a pipe or a device, is written to as it is, and so is what is open already, as `/dev/stdout`
    and `/dev/fd/3`.

    Raises:
        UsageError: It cannot be written.
    """
    with writing(path):
        mode = _mode(path)
    if path in {STDOUT, _DEV_STDOUT}:
        if form == "parquet" and sys.stdout.isatty():
            raise UsageError("Parquet is nothing to read on a terminal: name a file with -o")
        stdout = cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
        yield from _written(ResultWriter(stdout, form, "stdout"))
    elif stat.S_ISDIR(mode):
        raise UsageError(f"{path} cannot be written: it is a directory")
    elif (number := _DESCRIPTOR.fullmatch(path)) or not stat.S_ISREG(mode):
        with writing(path):
            # By its path, what is open would be written from its beginning, or not at all, as a socket.
            target = os.dup(int(number[1])) if number else path
            device = open(target, "wb")  # noqa: PTH123, SIM115 - a path has no way to open a descriptor; closed below
        with closing(device):
            yield from _written(ResultWriter(device, form, path))
    else:
        final = Path(path).resolve()  # a link stays a link
        writers: list[ResultWriter] = []
        with atomic_file(final, path, lambda: not writers[0].is_discarded) as file:
            writers.append(ResultWriter(file, form, path))
            yield from _written(writers[0])


def _mode(path: str) -> int:
    """What is at a path; where there is nothing, a regular file will be."""
    try:
        return Path(path).stat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG


def _written(writer: ResultWriter) -> Iterator[ResultWriter]:
    yield writer
    writer.finish()


class _Terminal:
    """Stdout where people read it, who are not to be steered by what is in a row."""

    def writelines(self, parts: Iterable[bytes]) -> None:
        sys.stdout.buffer.writelines(map(escape_json, parts))

    def flush(self) -> None:
        sys.stdout.buffer.flush()

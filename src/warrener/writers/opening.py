"""Where rows go: a file, a pipe or a device, or stdout."""

from __future__ import annotations

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


@contextmanager
def opened(path: str, form: Format) -> Iterator[ResultWriter]:
    """A writer of results to a path, `-` for stdout. The file appears when the block ends well, whole and safe on disk.

    What is no regular file, as a pipe or a device, is written to as it is.

    Raises:
        UsageError: It cannot be written.
    """
    with writing(path):
        final = Path(path).resolve()  # a link stays a link
        is_directory = final.is_dir()
        is_no_file = final.exists() and not final.is_file()
    if path == STDOUT:
        stdout = cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
        yield from _written(ResultWriter(stdout, form, "stdout"))
    elif is_directory:
        raise UsageError(f"{path} cannot be written: it is a directory")
    elif is_no_file:
        with writing(path):
            device = final.open("wb")
        with closing(device):
            yield from _written(ResultWriter(device, form, path))
    else:
        writers: list[ResultWriter] = []
        with atomic_file(final, path, lambda: not writers[0].is_discarded) as file:
            writers.append(ResultWriter(file, form, path))
            yield from _written(writers[0])


def _written(writer: ResultWriter) -> Iterator[ResultWriter]:
    yield writer
    writer.finish()


class _Terminal:
    """Stdout where people read it, who are not to be steered by what is in a row."""

    def writelines(self, parts: Iterable[bytes]) -> None:
        sys.stdout.buffer.writelines(map(escape_json, parts))

    def flush(self) -> None:
        sys.stdout.buffer.flush()

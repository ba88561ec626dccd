"""The app's code on its way into pods: a zip in an immutable ConfigMap, and the name to import it by."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import UsageError
from warrener.kubernetes.lint.objects import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVE: Final = "app.zip"
REQUIREMENTS: Final = "requirements.txt"
# A zip keeps times; a constant one keeps the same code the same bytes.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


class Code(msgspec.Struct, frozen=True):
    """What is sent along with the workers.

    Args:
        archive: A zip with the app's modules; empty when the image has them.
        requirements: The text of a requirements.txt that each pod installs; empty for none.

    Raises:
        UsageError: It is more than a ConfigMap holds.
    """

    archive: bytes = b""
    requirements: str = ""

    def __post_init__(self) -> None:
        size = len(self.archive) + len(self.requirements.encode())
        if size > MAX_BYTES:
            raise UsageError(
                f"the app's code and requirements have {size:,} bytes packed, a ConfigMap holds {MAX_BYTES:,}: "
                "build an image with them, and name it with --image"
            )

    @property
    def digest(self) -> str:
        """Eight digits that change with the content."""
        return hashlib.sha256(self.archive + b"\0" + self.requirements.encode()).hexdigest()[:8]


def pack(app: str) -> tuple[str, bytes]:
    """What workers import an app by, and the zip to send along.

    Args:
        app: `file.py`, `file.py:name`, `directory/` or `directory/:name` are sent along; `module` and
            `module:name` are left for the image to have, and the zip is empty.

    Raises:
        UsageError: The path does not exist, or cannot be imported by its name.
    """
    source, _, name = app.partition(":")
    if not source.endswith(".py") and "/" not in source:
        return app, b""
    path = Path(source)
    if not (path.is_file() if source.endswith(".py") else path.is_dir()):
        raise UsageError(f"app {source!r} does not exist; a module that the image has is named without '/'")
    module = path.resolve().stem if source.endswith(".py") else path.resolve().name
    if not module.isidentifier() or module == "warrener":
        raise UsageError(f"app {source!r} cannot be imported as {module!r}: give it another name")
    return f"{module}:{name}" if name else module, _zipped(path)


def _zipped(path: Path) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for inside, file in sorted(_files(path)):
            entry = zipfile.ZipInfo(inside, _TIME)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return target.getvalue()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    top = path.resolve()
    for file in top.rglob("*"):
        inside = file.relative_to(top)
        is_left_out = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not is_left_out:
            yield f"{top.name}/{inside.as_posix()}", file

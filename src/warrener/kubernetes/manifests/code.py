"""The app's code on its way into pods: a zip in an immutable ConfigMap, and the name to import it by; or a command's files."""

from __future__ import annotations

import hashlib
import io
import shlex
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import UsageError
from warrener.kubernetes.lint.objects import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVE: Final = "app.zip"
REQUIREMENTS: Final = "requirements.txt"
COMMAND: Final = "command"
"""The directory with a command's files, in which it runs."""
_MOST: Final = 100 * MAX_BYTES  # so much is not read first: no code packs so well
_EXECUTABLE: Final = 0o555
# A zip keeps times; a constant one keeps the same code the same bytes.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


class Code(msgspec.Struct, frozen=True):
    """What is sent along with the workers.

    Args:
        archive: A zip with the app's modules; empty when the image has them.
        requirements: The text of a requirements.txt that each pod installs; empty for none.
        files: What a command needs, by the path that it names it by.

    Raises:
        UsageError: It is more than a ConfigMap holds.
    """

    archive: bytes = b""
    requirements: str = ""
    files: dict[str, bytes] = {}

    def __post_init__(self) -> None:
        size = sum(map(len, self.binary.values())) + len(self.requirements.encode())
        if size > MAX_BYTES:
            what = f"the command's files ({', '.join(self.files)})" if self.files else "the app's code"
            raise _too_large(f"{what} and requirements have {size:,} bytes packed")

    @property
    def digest(self) -> str:
        """Eight digits that change with the content."""
        made_of = self.archive + b"\0" + self.requirements.encode()
        for path, content in self.files.items():
            made_of += b"\0" + path.encode() + b"\0" + content
        return hashlib.sha256(made_of).hexdigest()[:8]

    @property
    def binary(self) -> dict[str, bytes]:
        """All but the requirements, by the names that a ConfigMap has for them: it knows no directories."""
        archive = {ARCHIVE: self.archive} if self.archive else {}
        return archive | {_key(number): content for number, content in enumerate(self.files.values())}

    @property
    def items(self) -> list[dict[str, Any]]:
        """Where a pod finds each part of the ConfigMap; empty where that is by its name."""
        if not self.files:
            return []
        files = [
            {"key": _key(number), "path": f"{COMMAND}/{path}", "mode": _EXECUTABLE}
            for number, path in enumerate(self.files)
        ]
        return [*([{"key": REQUIREMENTS, "path": REQUIREMENTS}] if self.requirements else []), *files]


def _too_large(fact: str) -> UsageError:
    return UsageError(
        f"{fact}, a ConfigMap holds {MAX_BYTES:,}: build an image with them, and name it with --image"
    )


def pack(app: str) -> tuple[str, bytes]:
    """What workers import an app by, and the zip to send along.

    Args:
        app: `file.py`, `file.py:name`, `directory/` or `directory/:name` are sent along; `module` and
            `module:name` are left for the image to have, and the zip is empty.

    Raises:
        UsageError: The path does not exist, cannot be read, is too large, or cannot be imported by its name.
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


def left_here(app: str) -> str:
    """What is here and is not sent along, though it has the name of an app that the image is to have: the end of a sentence.

    Args:
        app: As `pack` takes it.
    """
    source = app.partition(":")[0]
    if not source or source.endswith(".py") or "/" in source:
        return ""
    names = {f"{source}.py": Path(f"{source}.py").is_file(), f"{source}/": Path(source).is_dir()}
    sent = next((name for name, is_here in names.items() if is_here), "")
    return f"; {sent} here is not sent along: name the app {sent} for that" if sent else ""


def files_of(command: str) -> dict[str, bytes]:
    """The files here that a command names by a relative path, which are sent along; all else is left for the image to have.

    Raises:
        UsageError: One cannot be read.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # whoever runs it says what is wrong
        return {}
    found = {}
    for word in words:
        path = Path(word)
        if path.is_absolute() or ".." in path.parts or not _is_file(path):
            continue
        found[path.as_posix()] = _read(path)
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a word that is no path
        return False


def _key(number: int) -> str:
    return f"file-{number}"


def _zipped(path: Path) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        files = sorted(_files(path))
        if (
            size := sum(file.stat().st_size for _, file in files)
        ) > _MOST:  # a data set, say, or an environment
            raise _too_large(f"{path} has {size:,} bytes in {len(files):,} files")
        # Before 3.14 Python imports no package without __init__.py from a zip that does not name its directory.
        directories = {f"{parent}/" for inside, _ in files for parent in PurePosixPath(inside).parents[:-1]}
        for directory in sorted(directories):
            archive.writestr(zipfile.ZipInfo(directory, _TIME), b"")
        for inside, file in files:
            entry = zipfile.ZipInfo(inside, _TIME)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, _read(file), zipfile.ZIP_DEFLATED, compresslevel=9)
    return target.getvalue()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read, and is to be sent along: {error.strerror}") from error


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

"""A machine whose clock jumps and whose disk fails, for the commands that are begun on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.place import Place

COMPILER: Final = shutil.which("cc")
_SOURCES: Final = Path(__file__).parent / "preload"


def build(directory: Path) -> Path:
    """Make the libraries that take the place of the system's clock and disk; needs Linux and a C compiler."""
    assert COMPILER
    for source in _SOURCES.glob("*.c"):
        library = directory / f"{source.stem}.so"
        subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return directory


class Clock:
    """The wall clock of the commands begun from now on."""

    def __init__(self, place: Place, preloads: Path) -> None:
        self._file = place.path / "clock"
        place.environment |= {"LD_PRELOAD": str(preloads / "clock.so"), "TEST_CLOCK": str(self._file)}

    def jump(self, seconds: int) -> None:
        """From now on it is so many seconds off."""
        _write(self._file, str(seconds))


class Disk:
    """The disk under the commands begun from now on."""

    def __init__(self, place: Place, preloads: Path) -> None:
        self._orders = place.path / "disk"
        place.environment |= {"LD_PRELOAD": str(preloads / "disk.so"), "TEST_DISK": str(self._orders)}

    def fail(self, call: str, error: int, part: str = ".db") -> None:
        """Fail each write or sync of files with this in their path."""
        _write(self._orders, f"{call} {error} {part}")

    def kill(self, call: str, part: str) -> None:
        """Kill whoever writes or syncs such a file."""
        self.fail(call, 0, part)

    def mend(self) -> None:
        """Be well again."""
        self._orders.unlink()


def _write(file: Path, text: str) -> None:
    """Whole or not at all, since it is read at any time."""
    file.with_name(f"{file.name}.new").write_text(text)
    file.with_name(f"{file.name}.new").replace(file)

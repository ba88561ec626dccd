"""A directory whose commands have a clock that jumps and a disk that fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent / "preload"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A directory, on the embedded broker."""
    with Place(tmp_path) as place:
        yield place


@pytest.fixture(scope="session")
def preloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that take the place of the system's clock and disk."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("a clock that jumps and a disk that fails need Linux and a C compiler")
    directory = tmp_path_factory.mktemp("preload")
    for source in SOURCES.glob("*.c"):
        library = directory / f"{source.stem}.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
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


@pytest.fixture
def clock(place: Place, preloads: Path) -> Clock:
    return Clock(place, preloads)


@pytest.fixture
def disk(place: Place, preloads: Path) -> Disk:
    return Disk(place, preloads)


def _write(file: Path, text: str) -> None:
    """Whole or not at all, since it is read at any time."""
    file.with_name(f"{file.name}.new").write_text(text)
    file.with_name(f"{file.name}.new").replace(file)

"""A directory whose commands have a clock that jumps and a disk that fails."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.machine import COMPILER, Clock, Disk, build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place


@pytest.fixture(scope="session")
def preloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that take the place of the system's clock and disk."""
    if sys.platform != "linux" or COMPILER is None:
        pytest.skip("a clock that jumps and a disk that fails need Linux and a C compiler")
    return build(tmp_path_factory.mktemp("preload"))


@pytest.fixture
def clock(place: Place, preloads: Path) -> Clock:
    return Clock(place, preloads)


@pytest.fixture
def disk(place: Place, preloads: Path) -> Disk:
    return Disk(place, preloads)

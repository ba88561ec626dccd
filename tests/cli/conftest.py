"""Where commands run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warrener.address import Address


@pytest.fixture
def each_place(tmp_path: Path, address: Address) -> Iterator[Place]:
    """A directory, on each broker in turn."""
    with Place(tmp_path, address) as place:
        yield place

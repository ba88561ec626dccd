"""A desk for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.batch.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address


@pytest.fixture
def desk(tmp_path: Path, address: Address, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A directory of the test's own."""
    monkeypatch.setenv("PLACE", str(tmp_path))
    return Desk(tmp_path, address)

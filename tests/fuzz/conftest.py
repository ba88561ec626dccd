"""A directory for what is tried."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory for all examples of a test."""
    return str(tmp_path_factory.mktemp("fuzz"))

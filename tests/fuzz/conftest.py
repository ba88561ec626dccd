"""How long to search: `WARRENER_FUZZ=long pytest tests/fuzz` goes on for hours, and tries something new each time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=100, database=None)
settings.register_profile(
    "long", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("WARRENER_FUZZ", "ci"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory for all examples of a test."""
    return str(tmp_path_factory.mktemp("fuzz"))

"""How many tasks a worker asks for, by how long they take and how large they are."""

from __future__ import annotations

import pytest

from warrener.worker.prefetch import is_too_large, wanted_prefetch

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("slots", "seconds", "size", "wanted"),
    [
        pytest.param(2, 1.0, 80, 2, id="one per slot of slow ones"),
        pytest.param(2, 0.1, 80, 4, id="two per slot"),
        pytest.param(2, 0.002, 80, 200, id="as many as take long enough"),
        pytest.param(2, 0.00001, 80, 1000, id="no more than that of the quickest"),
        pytest.param(2, 0.00001, MIB, 64, id="no more than there is memory for"),
        pytest.param(200, 0.00001, MIB, 200, id="but as many as can run"),
    ],
)
def test_prefetch_fits(slots: int, seconds: float, size: float, wanted: int) -> None:
    assert wanted_prefetch(slots, seconds, size) == wanted


def test_large_ones_are_held_only_as_far_as_there_is_memory() -> None:
    assert is_too_large(wanted_prefetch(2, 0.00001, MIB), MIB)
    assert not is_too_large(wanted_prefetch(2, 0.00001, 80), 80)

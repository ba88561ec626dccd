from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener.errors import UsageError
from warrener.retry import COMMON_DELAYS, MAX_DELAY, RetryPolicy, delay_schedule, nearest

delays = st.lists(st.integers(1, 10**7), min_size=1, unique=True).map(sorted)


def test_default_waits_one_two_four_seconds() -> None:
    policy = RetryPolicy()
    assert [policy.delay(failures) for failures in (1, 2, 3, 4)] == [1000, 2000, 4000, None]


@given(st.integers(0, 15), st.floats(0.001, 100))
def test_delays_double_and_end(retries: int, base: float) -> None:
    policy = RetryPolicy(retries, base)
    delays = policy.delays()
    assert len(delays) == retries
    assert all(abs(later - 2 * earlier) <= 1.5 for earlier, later in pairwise(delays))
    assert policy.delay(retries + 1) is None


@given(st.floats(0, 10**8), delays)
def test_nearest_is_never_shorter_unless_none_is_longer(delay: float, existing: list[int]) -> None:
    found = nearest(delay, existing)
    longer = [one for one in existing if one >= delay]
    assert found == (min(longer) if longer else max(existing))


@pytest.mark.parametrize(
    ("retries", "base"), [(-1, 1.0), (21, 1.0), (3, 0.0), (3, float("nan")), (20, 10.0), (1, MAX_DELAY * 2)]
)
def test_policy_out_of_range_is_refused(retries: int, base: float) -> None:
    with pytest.raises(UsageError):
        RetryPolicy(retries, base)


def test_schedule_has_every_policy_and_the_common_delays() -> None:
    found = delay_schedule([RetryPolicy(), RetryPolicy(1, 0.5)])
    assert found == sorted({500, 1000, 2000, 4000, *COMMON_DELAYS})

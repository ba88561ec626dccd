"""What is known of lost deliveries: each is used once, in time, and never for more than it says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers import Delivery
from warrener.brokers.protocol import Completed, Lost
from warrener.models import Envelope, Record
from warrener.worker import redelivery
from warrener.worker.pool import RunningAttempt
from warrener.worker.redelivery import Redelivery

if TYPE_CHECKING:
    import pytest

PLENTY: Final = 1000
ROW: Final = Completed(b"row")


def test_each_of_two_copies_is_known_by_itself() -> None:
    known = Redelivery()
    attempts = [an_attempt(1), an_attempt(2)]

    known.add_cut([], [], attempts)

    adopted = [known.recall(a_delivery(lost=1), PLENTY) for _ in range(3)]
    assert [found and found.attempt for found in adopted] == [*attempts, None]


def test_copy_that_has_not_begun_is_run_though_the_other_one_was_settled() -> None:
    known = Redelivery()

    known.add_cut([Lost(a_delivery().identity, None)], [a_delivery()], [])

    assert known.recall(a_delivery(lost=1), PLENTY) is None
    settled = known.recall(a_delivery(lost=1), PLENTY)
    assert settled
    assert settled.is_confirmed


def test_outcome_that_was_not_confirmed_is_used_once() -> None:
    known = Redelivery()

    known.add_cut([Lost(a_delivery().identity, ROW)], [], [])

    found = known.recall(a_delivery(lost=1), PLENTY)
    assert found
    assert (found.outcome, found.is_confirmed) == (ROW, False)
    assert known.recall(a_delivery(lost=1), PLENTY) is None


def test_result_that_is_too_large_meanwhile_is_no_outcome() -> None:
    known, large = Redelivery(), Completed(b"x" * (PLENTY + 1))
    run = an_attempt(1)
    known.add_cut([Lost(a_delivery().identity, large)], [], [run])
    known.end(run, large)

    for _ in range(2):
        delivery = a_delivery(lost=1)
        assert known.recall(delivery, PLENTY) is None
        assert delivery.explained == 1


def test_orphaned_attempt_ends_for_the_delivery_that_comes_back() -> None:
    known, run = Redelivery(), an_attempt(1)
    known.add_cut([], [], [run])
    assert known.is_orphaned(run)

    known.end(run, ROW)

    assert not known.is_orphaned(run)
    found = known.recall(a_delivery(lost=1), PLENTY)
    assert found
    assert (found.attempt, found.outcome) == (run, ROW)


def test_losses_here_are_explained_and_those_of_others_are_not() -> None:
    known = Redelivery()
    delivery = a_delivery(lost=2)  # with some other worker
    for cuts in (1, 2):
        known.add_cut([], [delivery], [])
        delivery = a_delivery(lost=2 + cuts)

        assert known.recall(delivery, PLENTY) is None
        assert delivery.explained == cuts


def test_cut_while_an_attempt_is_orphaned_is_none_of_its_losses() -> None:
    known, run = Redelivery(), an_attempt(1)
    known.add_cut([], [], [run])
    known.add_cut([], [], [run])

    known.abandon(run)

    delivery = a_delivery(lost=3)
    assert known.recall(delivery, PLENTY) is None
    assert delivery.explained == 1
    assert known.recall(a_delivery(lost=1), PLENTY) is None


def test_as_many_losses_with_others_are_explained_as_there_were_cuts_here_of_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Redelivery()
    for seconds in (0.0, 60.0, 60.0):
        monkeypatch.setattr(redelivery, "REMEMBERED_FOR", seconds)
        known.add_cut([], [], [])

    explained = []
    for lost in (1, 2, 5):
        delivery = a_delivery(lost)
        assert known.recall(delivery, PLENTY) is None
        explained.append(delivery.explained)

    assert explained == [1, 2, 2]


async def test_what_is_known_of_a_later_loss_outlives_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Redelivery()
    monkeypatch.setattr(redelivery, "REMEMBERED_FOR", 0.0)
    known.add_cut([Lost(a_delivery().identity, ROW)], [], [])
    monkeypatch.setattr(redelivery, "REMEMBERED_FOR", 60.0)
    known.add_cut([Lost(a_delivery().identity, None)], [], [])
    await asyncio.sleep(0)

    known.forget_expired()

    found = known.recall(a_delivery(lost=1), PLENTY)
    assert found
    assert found.is_confirmed


def test_attempt_is_expected_back_for_as_long_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redelivery, "REMEMBERED_FOR", 0.0)
    known, run = Redelivery(), an_attempt(1)
    known.add_cut([], [], [run])
    known.forget_expired()
    assert known.is_orphaned(run)

    known.end(run, ROW)

    assert known.recall(a_delivery(lost=1), PLENTY) is None


def a_delivery(lost: int = 0) -> Delivery:
    """Always of the same task."""
    return Delivery(b'{"type":"echo"}', "t", None, None, lost, 1)


def an_attempt(key: int) -> RunningAttempt:
    """At that task."""
    return RunningAttempt(key, a_delivery(), Envelope("echo", "t", msgspec.Raw(b"{}")), Record(), None)

"""Whose a queue is, by whatever order its journal has."""

from __future__ import annotations

from itertools import permutations

from warrener.codec import encode
from warrener.journal import Begun, JournalState, Left, Read, Record


def begun(run: str, source: str = "") -> Begun:
    return Begun(run, source or run, 1.0, planned=3)


def state(*records: Record) -> JournalState:
    found = JournalState()
    found.add(encode(record) for record in records)
    return found


def unused(run: str) -> Left:
    return Left(run, has_published=False)


def test_it_is_the_first_ones_that_began() -> None:
    assert state(begun("a"), begun("b")).first == begun("a")
    assert state(begun("a"), Left("a"), begun("b")).first == begun("a")
    assert state(begun("a"), Read("a", 3), begun("a2", "a"), unused("a2"), begun("b")).first == begun("a")


def test_it_is_nobodys_once_all_have_left_without_having_published() -> None:
    assert state(begun("a"), unused("a")).first is None
    assert state(begun("a"), unused("a")).total is None
    assert state(begun("a"), unused("a"), begun("b")).first == begun("b")
    assert state(begun("a"), begun("b"), unused("a"), unused("b")).first is None


def test_it_changes_hands_under_nobody_who_may_have_published() -> None:
    assert state(begun("a"), begun("b"), unused("a"), Left("b")).first == begun("a")


def test_two_that_begin_at_the_same_time_never_both_have_it() -> None:
    # Each looks at some moment after it is in the journal, and leaves without having published where it is another's.
    for order in permutations(("begin a", "look a", "begin b", "look b")):
        records: list[Record] = []
        owners = set()
        if order.index("look a") < order.index("begin a") or order.index("look b") < order.index("begin b"):
            continue
        for step in order:
            verb, run = step.split()
            if verb == "begin":
                records.append(begun(run))
            elif state(*records).first == begun(run):
                owners.add(run)
            else:
                records.append(unused(run))
        assert len(owners) == 1, order

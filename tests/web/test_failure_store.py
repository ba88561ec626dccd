"""The failures that the page keeps: each once, found by what is in them, wherever in a block they lie."""

from __future__ import annotations

from warrener.models import Attempt, Failure
from warrener.web.failure_filter import FailureFilter
from warrener.web.failure_store import FailureStore


def failure(number: int) -> Failure:
    """One of many, with text in it that breaks lines."""
    attempt = Attempt(
        1, "ValueError", "no", traceback=f"line 1\nline {number}\r\n\u2028end", output="\x0b\x85"
    )
    task = {"id": f"t{number}", "type": "resize", "data": {"number": number}}
    return Failure(
        f"t{number}", "resize", "exhausted", "ValueError", "no", 1, float(number), (attempt,), task
    )


def test_failures_are_kept_once_each_and_found_in_their_order() -> None:
    store, everything = FailureStore(), FailureFilter()
    all_of_them = [failure(number) for number in range(150)]
    store.add(all_of_them[:70])
    store.add([*all_of_them[40:100], all_of_them[3]])
    store.add(all_of_them[90:])

    assert (store.count, store.number(everything)) == (150, 150)
    assert [*store.all(everything)] == all_of_them
    assert store.find("t99") == all_of_them[99]
    newest = store.page(everything, 40, None)
    assert [found for _, found in newest] == all_of_them[:109:-1]
    assert [found for _, found in store.page(everything, 3, newest[-1][0])] == all_of_them[109:106:-1]
    (group,) = store.groups(everything)
    assert (group["count"], group["example"]) == (150, all_of_them[149])

    said, there = FailureFilter(text="LINE 77"), FailureFilter(where=("data.number=45",))
    for wanted, number in ((said, 77), (there, 45)):
        assert [found.task_id for _, found in store.page(wanted, 10, None)] == [f"t{number}"]
        assert store.number(wanted) == 1
        assert store.names(wanted) == [(f"t{number}", float(number))]

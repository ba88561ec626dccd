"""Which failures `--where` and `--error-match` mean."""

from __future__ import annotations

import re
from typing import Any

import pytest

from warrener.errors import UsageError
from warrener.failures import Choice, Where, compiled
from warrener.models import Attempt, Failure

DATA = {
    "region": "eu",
    "n": 1,
    "on": True,
    "none": None,
    "files": ["a.jpg", {"size": 2.0}],
    "a.b": {"c d": "x=y"},
    "digits": "17",
    "": 0,
}


def failure(task: Any) -> Failure:
    history = (Attempt(1, "KeyError", "first"), Attempt(2, "ValueError", "second", traceback="in main\nboom"))
    return Failure("t", "resize", "exhausted", "ValueError", "second", 2, 1.0, history, task)


TASK = failure({"id": "t", "type": "resize", "data": DATA})


@pytest.mark.parametrize(
    "words",
    [
        "data.region=eu",
        'data.region="eu"',
        "data.n=1",
        "data.n=1.0",
        "data.on=true",
        "data.none=null",
        "data.files[0]=a.jpg",
        "data.files.0=a.jpg",
        "data.files[1].size=2",
        'data.files[1]={"size":2}',
        'data["a.b"]["c d"]=x=y',
        "data.digits=17",
        'data[""]=0',
        "type=resize",
        "id=t",
    ],
)
def test_value_is_there(words: str) -> None:
    assert Where.parse(words).fits(TASK)


@pytest.mark.parametrize(
    "words",
    [
        "data.region=us",
        "data.region=",
        "data.n=true",
        "data.on=1",
        "data.none=",
        "data.none=None",
        "data.nowhere=eu",
        "data.nowhere=null",
        "data.files[2]=a.jpg",
        "data.files[99999999999999999999]=a.jpg",
        "data.region[0]=e",
        "data.files.size=2",
        "origin=",
    ],
)
def test_value_is_not_there(words: str) -> None:
    assert not Where.parse(words).fits(TASK)


@pytest.mark.parametrize("task", [None, [], "data", {"data": None}, {"data": [1]}])
def test_what_is_no_task_fits_nowhere(task: object) -> None:
    assert not Where.parse("data.region=eu").fits(failure(task))


@pytest.mark.parametrize(
    "words", ["", "=", "data", "data.region", "data..region=eu", ".data=1", "[0]=1", "data[x]=1", "data.a.=1"]
)
def test_bad_path_is_said(words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{words!r} is no PATH=VALUE")):
        Where.parse(words)


def test_path_that_begins_elsewhere_is_told_where_data_is() -> None:
    with pytest.raises(UsageError, match=r"write data\.region=eu"):
        Where.parse("region=eu")


@pytest.mark.parametrize(
    ("pattern", "fits"), [("sec.nd$", True), ("boom", True), ("first", False), ("KeyError", False)]
)
def test_message_and_traceback_of_the_last_attempt_are_searched(pattern: str, fits: bool) -> None:
    assert Choice(error_match=compiled(pattern)).fits(TASK) is fits


@pytest.mark.parametrize("pattern", ["(", "*", "[z-a]", "a{99999999999999999999}"])
def test_bad_pattern_is_said(pattern: str) -> None:
    with pytest.raises(UsageError, match="is no regular expression"):
        compiled(pattern)


def test_all_parts_must_fit() -> None:
    where = Where.parse("data.region=eu")
    assert Choice(error="ValueError", where=(where,)).fits(TASK)
    assert not Choice(error="KeyError", where=(where,)).fits(TASK)
    assert not Choice(where=(where, Where.parse("data.n=2"))).fits(TASK)

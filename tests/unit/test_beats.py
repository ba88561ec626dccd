"""What attempts say of their progress, and what is made of what workers tell."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from warrener import App, Attempt, Task, testing
from warrener.beats import MOST_RUNNING, Beat, Heard, Running, write
from warrener.brokers.protocol import BEATS_LAST
from warrener.cli.running import longest, running_members, running_rows
from warrener.errors import AccessRefused, BrokerUnreachable, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Sequence


class Whole:
    """As NumPy's whole numbers are."""

    def __index__(self) -> int:
        return 7


def test_progress_takes_any_number_and_keeps_the_last() -> None:
    attempt = Attempt()
    assert attempt.reported is None
    for done, total, reported in (
        (3, 5, (3, 5)),
        (0.5, 1.0, (0.5, 1.0)),
        (Whole(), None, (7, None)),
        (Decimal("2.5"), Whole(), (2.5, 7)),
        (0, 0, (0, 0)),
    ):
        attempt.progress(done, total)
        assert attempt.reported == reported


@pytest.mark.parametrize("bad", [-1, -0.5, float("nan"), float("inf"), 2**63])
def test_progress_that_is_no_count_is_refused(bad: float) -> None:
    attempt = Attempt()
    with pytest.raises(ValueError, match=r"progress takes numbers from 0 to 2\*\*63 - 1, and done is"):
        attempt.progress(bad)
    with pytest.raises(ValueError, match="and total is"):
        attempt.progress(1, bad)
    with pytest.raises(TypeError, match="progress takes numbers, and done is of type str"):
        attempt.progress("3")  # type: ignore[arg-type]
    assert attempt.reported is None


def test_handler_says_how_far_it_is_in_a_test() -> None:
    app = App()

    @app.task(retries=0)
    def count(to: int, attempt: Attempt) -> object:
        for number in range(to):
            attempt.progress(number + 1, to)
        return attempt.reported

    with testing.run(app, [Task("t", "count", {"to": 3})]) as batch:
        assert batch.results["t"].value == [3, 3]


def beat(worker: str, *seconds: float, key: str = "a", omitted: int = 0) -> bytes:
    running = tuple(
        Running(f"{worker}-{number}", "echo", 1, each, 450, 1000) for number, each in enumerate(seconds)
    )
    return write(Beat(worker, key, "1.0", 8, 60.0, running, omitted))


async def test_the_newest_of_each_worker_counts_until_it_is_gone() -> None:
    now = 100.0
    heard = Heard(lambda: now)
    heard.add([beat("one", 5, 40), beat("two", 20), b"no beat", b'{"worker":1}', beat("one", 30, key="b")])
    heard.add([beat("two", 22, omitted=3)])

    assert [(at.worker, at.running.seconds) for at in heard.running] == [
        ("one", 40),
        ("one", 30),
        ("two", 22),
        ("one", 5),
    ]
    assert heard.omitted == 3
    async with asyncio.timeout(60):
        await heard.have(3, 3600)
    now += BEATS_LAST - 1
    heard.add([beat("two", 26)])
    now += 1
    assert [at.worker for at in heard.running] == ["two"]


def test_strangers_beats_are_bounded() -> None:
    heard = Heard()
    many = tuple(Running("t", "echo", 1, 1) for _ in range(MOST_RUNNING + 1))
    heard.add([write(Beat("one", "a", "1.0", 8, 60.0, many)), write(Beat("x" * 1000, "a", "1.0", 8, 60.0))])
    assert heard.workers == []


def test_what_runs_is_shown_the_longest_first_and_the_rest_counted() -> None:
    heard = Heard()
    assert running_rows(heard, 0) == []
    assert running_rows(heard, 3) == [("running", "not told by any worker within a few seconds")]
    assert longest(heard) == ""
    heard.add([beat("quick", 0.1, 0.2)])
    assert running_rows(heard, 2) == [("running", "2, none of them for a second")]
    heard.add([beat("one", *range(2, 9), omitted=1000), write(_without_total())])

    rows = running_rows(heard, None)
    assert rows[0] == ("running", "\x1b[2Jodd  1 h 00 min  2.50  attempt 2     on two")
    assert rows[1] == ("", "one-6    8 s         450 of 1,000 (45%)  on one")
    assert rows[-1] == ("", "and 1,005 more")
    assert len(rows) == 6
    assert longest(heard) == " | longest \x1b[2Jodd 1 h 00 min, 2.50"
    told = running_members(heard)
    assert isinstance(told["heard"], list)
    assert {worker["worker"]: worker["running"] for worker in told["heard"]} == {
        "one": 1007,
        "quick": 2,
        "two": 1,
    }


def _without_total() -> Beat:
    return Beat("two", "a", "1.0", 1, 4000.0, (Running("\x1b[2Jodd", "echo", 2, 3600, 2.5),))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (AccessRefused("no"), "not for this user to see"),
        (QueueMissing("no"), "not told on this queue, which is older than that: `warrener setup` changes it"),
        (BrokerUnreachable("it is away"), "unknown: it is away"),
    ],
)
async def test_why_nothing_is_heard_is_said_and_waited_for_by_nobody(
    error: AccessRefused | QueueMissing | BrokerUnreachable, says: str
) -> None:
    heard = Heard()
    heard.fail(error)
    async with asyncio.timeout(60):
        await heard.have(2, 3600)
    rows: Sequence[tuple[str, str]] = running_rows(heard, 1)
    assert rows == [("running", says)]
    assert running_members(heard) == {"running": None, "heard": None}

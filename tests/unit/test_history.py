"""The fold of rows and failures into a history."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import msgspec
import pytest

from warrener.history.completed import MOST_TYPES, OTHERS, Completed, _Row
from warrener.history.durations import MOST_BARS, Durations
from warrener.history.failed import Failed
from warrener.history.history import History
from warrener.history.places import Places
from warrener.history.slowest import MOST
from warrener.history.timeline import MOST_BINS, Timeline
from warrener.history.took import Took
from warrener.models import Attempt, Failure, Result
from warrener.published import mark_of_task
from warrener.web.shown import row_members

BEGAN = 1_700_000_000.0


def row(task_id: str, seconds: float = 1.0, *, at: float = 0.0, **members: object) -> bytes:
    ended_at = BEGAN + at
    found = Result(
        task_id, "resize", "completed", msgspec.Raw(b"1"), 1, "host-1", ended_at - seconds, ended_at, seconds
    )
    return msgspec.json.encode(msgspec.structs.replace(found, **members))


def failure(task_id: str, *, at: float = 0.0, **members: object) -> Failure:
    attempts = tuple(
        Attempt(n, "ValueError", f"no {task_id} at 17", "host-1", BEGAN + at - 2, 1.0, f"Traceback of {n}")
        for n in (1, 2)
    )
    task = {"id": task_id, "type": "resize", "data": {}}
    found = Failure(
        task_id, "resize", "exhausted", "ValueError", f"no {task_id} at 17", 2, BEGAN + at, attempts, task
    )
    return msgspec.structs.replace(found, **members)


# --- durations


def test_percentiles_are_within_three_per_cent() -> None:
    chance = random.Random(1)
    for scale in (0.0003, 0.05, 2, 900):
        those = [chance.lognormvariate(0, 1.5) * scale for _ in range(5000)]
        found = Durations()
        for start in range(0, len(those), 100):
            found.add_all(those[start : start + 100])
        those.sort()
        for share in (0.01, 0.5, 0.95, 0.99, 1):
            exact = those[int(share * len(those)) - 1]
            assert found.quantile(share) == pytest.approx(exact, rel=0.032)
        assert found.longest == those[-1]
        assert found.seconds == pytest.approx(sum(those))


def test_percentiles_of_few() -> None:
    found = Durations()
    assert found.quantile(0.5) is None
    found.add_all([0.7])
    assert (found.quantile(0.5), found.quantile(0.99)) == (0.7, 0.7)
    found.add_all([0.0])
    assert found.quantile(1) == 0.7


def test_bars_are_few_and_have_all() -> None:
    found = Durations()
    assert found.bars() == []
    found.add_all([2.0**exponent for exponent in range(-40, 60)])
    bars = found.bars()
    assert len(bars) <= MOST_BARS
    assert sum(count for _, count in bars) == 100
    assert all(one < other for (one, _), (other, _) in pairwise(bars))
    assert bars[-1][0] >= 2.0**59 > bars[-2][0]


# --- the timeline


def test_bins_grow_wider_as_the_time_grows_longer() -> None:
    line = Timeline()
    for count, at in enumerate((0, 1, 3_000, 40_000, 500_000, 2, 39_999), 1):
        line.add(BEGAN + at)
        begin, (counts,) = line.counts()
        assert sum(counts) == count
        assert len(counts) <= MOST_BINS
        assert begin <= BEGAN < begin + line.step
    assert line.step * MOST_BINS < 500_000 * 4


def test_times_out_of_any_calendar_are_passed_over() -> None:
    line = Timeline()
    for at in (-1.0, 1e300, 253_402_300_799.0, 0.0):
        line.add(at)
    assert sum(line.counts()[1][0]) == 2
    assert len(line.counts()[1][0]) <= MOST_BINS


def test_timelines_are_merged() -> None:
    one, other = Timeline(), Timeline()
    assert one.merged(other).counts() == (0.0, [[], []])
    for second in range(100):
        one.add(BEGAN + second)
        other.add(BEGAN + 60 * second)
    begin, (completed, failed) = (merged := one.merged(other)).counts()
    assert (sum(completed), sum(failed), len(completed)) == (100, 100, len(failed))
    assert begin <= BEGAN < begin + merged.step


# --- places


def test_first_row_of_an_id_keeps_its_place() -> None:
    for expected in (0, 10, 20_000):
        places = Places(expected)
        for number in range(20_000):
            assert places.add_all([(f"t{number}", "w")], 2 * number) == [2 * number]
            assert number % 100 or not places.add_all([(f"t{number}", "w")], 7)
        assert len(places) == 20_000
        assert all(places.place(f"t{number}") == 2 * number for number in range(20_000))
        assert places.place("t20000") is None
        assert not places.has("t20000", "w")
        assert places.worded_anew == 0
        assert places.has("t5", "other")
        assert places.add_all([("t6", "other"), ("u", "w"), ("u", "w")], 50_000) == [50_001]
        assert places.worded_anew == 2


# --- rows


def test_rows_are_folded_by_type_and_worker() -> None:
    rows = Completed()
    rows.add([row(f"t{n}", 1 + n / 100, at=n, worker=f"host-{n % 2}") for n in range(100)])
    rows.add([row(f"u{n}", 5, at=50, type="upload", attempts=3) for n in range(10)])

    assert (rows.count, rows.read) == (110, 110)
    assert (rows.types["resize"].completed, rows.types["upload"].completed) == (100, 10)
    assert (rows.types["resize"].retries, rows.types["upload"].retries) == (0, 20)
    assert {name: told.completed for name, told in rows.workers.items()} == {"host-0": 50, "host-1": 60}
    assert (rows.begin, rows.end) == (BEGAN - 1, BEGAN + 99)
    assert len(rows.slowest.longest_first()) == MOST
    assert {slow.seconds for slow in rows.slowest.longest_first()} >= {5, 1.99}
    assert rows.places.place("u3") == 103


def test_rows_of_workers_are_read_the_quick_way() -> None:
    assert {field.name for field in msgspec.structs.fields(_Row)} == {
        field.name for field in msgspec.structs.fields(Result)
    }


def test_what_collectors_leave_out_is_left_out() -> None:
    stale = frozenset({mark_of_task("b", "old")})
    rows = Completed(stale=stale)
    rows.add(
        [
            row("a"),
            row("a", 99),
            row("b", 99, wording="old"),
            row("b", wording="new"),
            b"no row",
            b'{"type":"resize"}',
            b'{"task_id":"c","value":"\xff"}',
            row("d").replace(b'"value":1', b'"value":1e999'),
            row("e", attempts=0),
        ]
    )

    assert (rows.count, rows.read, rows.end) == (2, 9, BEGAN)
    left_out = rows.left_out
    assert (left_out.duplicates, left_out.superseded, left_out.strange) == (1, 1, 5)
    assert rows.slowest.longest_first()[0].seconds == 1


def test_rows_that_others_wrote_are_counted_as_far_as_they_tell() -> None:
    rows = Completed()
    rows.add([b'{"task_id":"a"}', b'{"task_id":"b","duration":"long","attempts":3}', b'{"task_id":"a"}'])
    rows.add([row("c", 1, processed_at=-5.0), row("d", -1.0)])

    assert (rows.count, rows.left_out.duplicates, rows.left_out.strange) == (4, 1, 0)
    assert (rows.types[OTHERS].completed, rows.types[OTHERS].retries) == (4, 2)


@pytest.mark.parametrize("member", ["started_at", "processed_at", "duration"])
@pytest.mark.parametrize("value", ["1e308", "-1e-9", "253402300800"])
def test_times_that_a_stranger_made_up_are_part_of_no_sum(member: str, value: str) -> None:
    strange = re.sub(
        rb'"%b":[^,}]*' % member.encode(), b'"%b":%b' % (member.encode(), value.encode()), row("s")
    )
    rows, took = Completed(), Took()
    for found in (rows, took):
        found.add([row("a"), strange, strange.replace(b'"s"', b'"t"')])

    history = History(rows).members()
    assert (rows.count, rows.begin, rows.end) == (3, BEGAN - 1, BEGAN)
    assert [(told["seconds"], told["max"]) for told in history["types"]] == [(1, 1), (0, None)]
    assert [worker["seconds"] for worker in history["workers"]] == [1]
    assert took.durations.seconds <= 3
    shown = row_members(strange)
    assert shown
    assert shown[member] is None


def test_too_many_types_are_counted_together() -> None:
    rows = Completed()
    rows.add([row(f"t{n}", type=f"type {n}") for n in range(2 * MOST_TYPES)])
    assert sum(of_type.completed for of_type in rows.types.values()) == 2 * MOST_TYPES
    assert len(rows.types) <= MOST_TYPES + 1
    assert len(msgspec.json.encode(History(rows).members())) < 200_000


# --- failures


def test_failures_are_folded_with_an_example_of_each_group() -> None:
    rows = Completed()
    rows.add([row("task-a")])
    failed = Failed(rows.places)
    for found in (
        failure("task-a"),
        failure("task-b", at=3),
        failure("task-b"),
        failure("task-c", at=9),
        failure("task-d", error="KeyError", type="upload"),
    ):
        failed.add(found)

    assert (failed.count, failed.read) == (3, 5)
    assert {name: told.failed for name, told in failed.types.items()} == {"resize": 2, "upload": 1}
    assert [(group.count, group.example_id) for group in failed.groups] == [(2, "task-b"), (1, "task-d")]
    example = failed.examples[failed.groups[0].key]
    assert (example.task_id, [attempt.traceback for attempt in example.history]) == (
        "task-b",
        ["Traceback of 2"],
    )
    assert (failed.begin, failed.end) == (BEGAN - 2, BEGAN + 9)


def test_members_have_all() -> None:
    rows = Completed()
    rows.add([row(f"t{n}", 2, at=n) for n in range(10)])
    failed = Failed(rows.places)
    failed.add(failure("x", at=20))
    history = History(rows, failed)
    found = msgspec.json.decode(msgspec.json.encode(history.members()))

    assert (found["read"], found["expected"], found["is_complete"]) == (11, 11, False)
    assert (found["begin"], found["end"]) == (BEGAN - 2, BEGAN + 20)
    (of_type,) = found["types"]
    bars = of_type.pop("histogram")
    assert [count for _, count in bars] == [10]
    assert of_type == {
        "type": "resize",
        "completed": 10,
        "failed": 1,
        "retries": 1,
        "seconds": 20,
        "p50": 2,
        "p95": 2,
        "p99": 2,
        "max": 2,
    }
    assert (sum(found["timeline"]["completed"]), sum(found["timeline"]["failed"])) == (10, 1)
    assert found["slowest"][0] == {
        "seconds": 2,
        "number": 9,
        "task_id": "t9",
        "type": "resize",
        "worker": "host-1",
        "ended_at": BEGAN + 9,
    }
    assert found["workers"] == [{"worker": "host-1", "completed": 10, "seconds": 20}]


def test_members_of_nothing() -> None:
    found = History().members()
    assert (found["begin"], found["end"], found["types"], found["slowest"]) == (None, None, [], [])
    assert found["timeline"]["completed"] == []

"""Delays and collected results: whatever came in whatever order."""

from __future__ import annotations

import asyncio
import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.strategies import bodies, fragments
from warrener.brokers import Broker, Counts, FailedTask
from warrener.codec import encode
from warrener.collector import collect
from warrener.models import Record, Result
from warrener.retry import COMMON_DELAYS, MAX_DELAY, RetryPolicy, delay_schedule, nearest
from warrener.writers import Format, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warrener.rows import Summary

policies = st.builds(RetryPolicy, st.integers(0, 12), st.floats(0.001, 1000))
unicode = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | unicode,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(unicode, inner, max_size=3),
    max_leaves=6,
)
ids = st.sampled_from(["a", "b", "c", "=d", "e\n\r"])
results = st.builds(
    lambda task_id, value, attempts: encode(
        Result(task_id, "t", "completed", msgspec.Raw(encode(value)), attempts, "host:1", 1.5, 2.5, 1.0)
    ),
    ids,
    values,
    st.integers(1, 5),
)
foreign = (
    bodies
    | st.tuples(ids.map(json.dumps), fragments).map(
        lambda pair: f'{{"task_id": {pair[0]},\r\n "value": {pair[1]}}}'.encode("utf-8", "surrogatepass")
    )
    | st.tuples(ids.map(json.dumps), fragments).map(
        lambda pair: f'{{"task_id": {pair[0]}, "attempts": {pair[1]}}}'.encode("utf-8", "surrogatepass")
    )
)
failures = st.builds(
    lambda task_id, attempts: FailedTask(
        encode({"id": task_id, "type": "t"}), "", 5, Record(attempts=attempts, reason="exhausted")
    ),
    ids,
    st.integers(0, 5),
)


class _Ended:
    """What a broker has of a batch that has ended."""

    def __init__(self, batches: Sequence[Sequence[bytes]], failed: Sequence[FailedTask]) -> None:
        self._batches = batches
        self._failed = failed

    async def results(self, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        for batch in self._batches:
            yield batch

    async def failures(self) -> AsyncIterator[FailedTask]:
        for task in self._failed:
            yield task

    async def noted(self, _: object, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        yield []
        if follow:
            await asyncio.Event().wait()

    async def counts(self) -> Counts:
        return Counts(0, 0, 0, sum(map(len, self._batches)), len(self._failed), 0)


@given(st.lists(policies, max_size=4), st.floats(allow_nan=False) | st.integers())
@example([], float("inf"))
@example([], -(10**30))
def test_every_delay_gets_a_delay(found: list[RetryPolicy], wanted: float) -> None:
    delays = delay_schedule(found)
    assert all(lower < higher for lower, higher in pairwise(delays))
    assert set(COMMON_DELAYS) <= set(delays)
    assert all(0 < delay <= MAX_DELAY * 1000 for delay in delays)
    for policy in found:
        for failures_ in range(1, policy.retries + 1):
            delay = policy.delay(failures_)
            assert delay is not None
            assert nearest(delay, delays) == delay
    delay = nearest(wanted, delays)
    assert delay >= wanted or delay == delays[-1]
    assert not any(wanted <= shorter < delay for shorter in delays)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.lists(policies, max_size=3))
def test_longer_delay_never_gets_a_shorter_delay(one: float, other: float, found: list[RetryPolicy]) -> None:
    shorter, longer = sorted((one, other))
    assert nearest(shorter, delay_schedule(found)) <= nearest(longer, delay_schedule(found))


@given(st.lists(st.lists(results | foreign, max_size=4), max_size=4), st.lists(failures, max_size=6))
@example([[b'{"task_id": "a", "value": 1e999}', b'{"task_id": "a", "value": "\xff"}']], [])
@example([[b'{"task_id": "a", "value": ' + b"[" * 5000 + b"]" * 5000 + b"}"]], [])
@example([[b'{"task_id": "a", "attempts": -7}', b'{"task_id": "b", "attempts": 1' + b"0" * 30 + b"}"]], [])
@example([[b'{"task_id":\r"a",\n"value": 1}']], [])
@example([[encode({"task_id": "a", "value": "\r"})]], [])
def test_each_task_has_one_row_or_one_failure_and_files_say_the_same(
    place: str, batches: list[list[bytes]], failed: list[FailedTask]
) -> None:
    expected: dict[str, dict[str, Any]] = {}
    strange = 0
    for row in (row for batch in batches for row in batch):
        if (members := _row(row)) is None:
            strange += 1
        else:
            expected.setdefault(members["task_id"], members)
    lost = {msgspec.json.decode(task.body)["id"] for task in failed} - set(expected)
    forms: tuple[Format, ...] = ("jsonl", "json", "csv")
    for form in forms:
        path = Path(f"{place}/out.{form}")

        summary = _collected(_Ended(batches, failed), str(path), form)

        assert (summary.completed, summary.failed, summary.missing) == (len(expected), len(lost), 0)
        assert (summary.strange, summary.completed + summary.duplicates + strange) == (
            strange,
            sum(map(len, batches)),
        )
        assert summary.retries >= 0
        assert str(summary)
        _says(path, form, list(expected.values()))


def _collected(ended: _Ended, path: str, form: Format) -> Summary:
    with opened(path, form) as target:
        return asyncio.run(collect(cast("Broker", ended), target))


def _row(row: bytes) -> dict[str, Any] | None:
    """What a row says, if it is one: JSON that everybody can read, with the id of a task and a count of attempts."""
    try:
        members = msgspec.json.decode(row, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    attempts = members.get("attempts", 1)
    is_count = isinstance(attempts, int) and not isinstance(attempts, bool) and 1 <= attempts <= 10**9
    return members if isinstance(members.get("task_id"), str) and is_count else None


def _says(path: Path, form: Format, rows: list[dict[str, Any]]) -> None:
    if form == "jsonl":
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert [msgspec.json.decode(line) for line in lines] == rows
        assert not any(b"\r" in line for line in lines)
    elif form == "json":
        assert msgspec.json.decode(path.read_bytes()) == rows
    else:
        with path.open(newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        assert len(found) == len(rows)
        for cells, members in zip(found, rows, strict=True):
            for column, cell in cells.items():
                assert _is_cell_of(cell, members.get(column)), (column, cell, members.get(column))


def _is_cell_of(cell: str, value: Any) -> bool:
    """Text as it is, but with an apostrophe before what a spreadsheet would run; nothing for null; else JSON."""
    if isinstance(value, str):
        return cell == (f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value)
    return cell == "" if value is None else bool(msgspec.json.decode(cell) == value)

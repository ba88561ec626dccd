"""Collecting: whole files, whatever happens to the collector."""

from __future__ import annotations

import csv
import json
import os
import signal
from typing import TYPE_CHECKING

from tests.batch import APP, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place

ODD = ['"quoted", with a comma', "two\nlines", "=1+1", "käse", "", "\\", "\x00"]


async def test_killed_collector_leaves_the_old_file_and_the_next_one_ends_with_the_batch(
    each_place: Place,
) -> None:
    gate, log, out = (each_place.path / name for name in ("gate", "log", "out.jsonl"))
    out.write_text("old\n")
    waiting = {"id": "last", "type": "wait_for", "data": {"file": str(gate), "log": str(log)}}
    each_place.warrener(
        "publish", each_place.tasks([waiting, *({"type": "echo", "id": f"t{n}"} for n in range(3))])
    )
    worker = each_place.begin("work", APP, "--drain", "--processes", "2")

    killed = each_place.begin("results", "-o", "out.jsonl", "--follow")
    await _until_unfinished_has(out, 3)
    killed.end(signal.SIGKILL)
    assert out.read_text() == "old\n"
    (leftover,) = _unfinished(out)
    following = each_place.begin("results", "-o", "out.jsonl", "--follow")
    await _until_unfinished_has(out, 3, but=leftover)
    assert not leftover.exists()
    beside = each_place.warrener("results", "-o", "out.jsonl")
    assert "4 tasks: 3 completed, 0 failed, 1 missing" in beside.stderr
    assert len(each_place.rows("out.jsonl")) == 3
    assert len(_unfinished(out)) == 1
    gate.touch()

    assert following.end() == 0
    assert worker.end() == 0
    assert sorted(str(row["task_id"]) for row in each_place.rows("out.jsonl")) == [
        "last",
        "t0",
        "t1",
        "t2",
    ]
    assert _unfinished(out) == []


def test_each_format_parses_and_says_the_same(place: Place) -> None:
    tasks = [{"type": "echo", "data": {"number": n, "text": text}} for n, text in enumerate(ODD)]
    assert place.warrener("run", APP, place.tasks(tasks), "-o", "out.jsonl").returncode == 0
    for name in ("out.json", "out.csv"):
        assert place.warrener("results", "-o", name).returncode == 0

    rows = place.rows("out.jsonl")
    assert {str(row["origin"]): row["value"] for row in rows} == {
        f"tasks.jsonl:{n + 1}": [n, text] for n, text in enumerate(ODD)
    }
    assert json.loads((place.path / "out.json").read_text()) == rows
    with (place.path / "out.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [cell["task_id"] for cell in cells] == [row["task_id"] for row in rows]
    assert [json.loads(cell["value"]) for cell in cells] == [row["value"] for row in rows]


def test_nothing_is_valid_in_each_format(place: Place) -> None:
    place.warrener("setup")
    assert json.loads(place.warrener("results", "--format", "json").stdout) == []
    assert place.warrener("results", "--format", "jsonl").stdout == ""
    assert place.warrener("results", "--format", "csv").stdout.count("\n") == 1


def test_what_is_no_regular_file_stays_what_it_is(place: Place) -> None:
    place.warrener("run", APP, place.tasks([{"type": "echo"}]), "-o", "real.jsonl")
    link, pipe = place.path / "link.jsonl", place.path / "pipe"
    link.symlink_to("real.jsonl")
    os.mkfifo(pipe)

    assert place.warrener("results", "-o", "link.jsonl").returncode == 0
    with open(os.open(pipe, os.O_RDWR), "rb", buffering=0) as end:  # noqa: PTH123 - opened so, a pipe waits for no writer
        assert place.warrener("results", "-o", "pipe").returncode == 0
        assert end.read(1 << 16) == (place.path / "real.jsonl").read_bytes()
    full = place.warrener("results", "-o", "/dev/full")

    assert link.is_symlink()
    assert pipe.is_fifo()
    assert full.returncode == 2
    assert full.stderr == "warrener: /dev/full cannot be written: No space left on device\n"


def test_reader_that_has_seen_enough_ends_it_quietly(place: Place) -> None:
    assert place.warrener("run", APP, place.tasks([{"type": "echo"}]), "-o", "out.jsonl").returncode == 0
    reading, writing = os.pipe()
    os.close(reading)

    collecting = place.begin("results", stdout=writing)
    os.close(writing)

    assert collecting.end() == 1
    assert collecting.said == ""


async def _until_unfinished_has(out: Path, lines: int, but: Path | None = None) -> None:
    async def has_lines() -> bool:
        return any(len(path.read_text().splitlines()) >= lines for path in _unfinished(out) if path != but)

    await eventually(has_lines)


def _unfinished(out: Path) -> list[Path]:
    return list(out.parent.glob(".*.unfinished"))

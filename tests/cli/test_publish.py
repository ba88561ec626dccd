"""Publishing from what is slow, stops or dies."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, cast

import pytest

from tests.batch import APP

if TYPE_CHECKING:
    from tests.place import Place


async def test_lines_of_a_slow_pipe_are_published_as_they_come(each_place: Place) -> None:
    publishing = each_place.begin("publish", "-", stdin=subprocess.PIPE)
    pipe = publishing.process.stdin
    assert pipe
    for count in (1, 2):
        pipe.write(b'{"type": "echo"}\n')
        pipe.flush()
        await each_place.has_ready(count)
    pipe.close()

    assert publishing.end() == 0
    assert "2 tasks published" in publishing.said


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
async def test_stopped_while_a_pipe_idles_it_says_how_to_go_on(
    each_place: Place, stop: signal.Signals, code: int
) -> None:
    publishing = each_place.begin("publish", "-", stdin=subprocess.PIPE)
    assert publishing.process.stdin
    publishing.process.stdin.write(b'{"type": "echo"}\n')
    publishing.process.stdin.flush()
    await each_place.has_ready(1)

    assert publishing.end(stop) == code

    assert publishing.said.splitlines()[-2:] == [
        "1 task is confirmed; go on with: warrener publish - --start-line 2",
        "warrener: interrupted",
    ]


async def test_publisher_killed_in_the_middle_and_run_again_leaves_one_row_per_task(
    each_place: Place,
) -> None:
    lines = [f'{{"type": "echo", "data": {{"number": {number}}}}}\n' for number in range(1, 1001)]
    file = each_place.path / "tasks.jsonl"
    os.mkfifo(file)
    publishing = each_place.begin("publish", "tasks.jsonl")
    with open(os.open(file, os.O_RDWR), "w") as pipe:  # noqa: ASYNC230, PTH123 - opened so, a pipe waits for no reader
        pipe.writelines(lines[:600])
        pipe.flush()
        await each_place.has_ready(1)
        publishing.end(signal.SIGKILL)
    file.unlink()
    file.write_text("".join(lines))

    assert each_place.warrener("publish", "tasks.jsonl").returncode == 0

    assert each_place.warrener("work", APP, "--drain").returncode == 0
    done = each_place.warrener("results", "-o", "out.jsonl")
    assert "1,000 tasks: 1,000 completed, 0 failed, 0 missing" in done.stderr
    rows = each_place.rows("out.jsonl")
    assert sorted(cast("list[int]", row["value"])[0] for row in rows) == [*range(1, 1001)]
    assert sorted(int(str(row["origin"]).removeprefix("tasks.jsonl:")) for row in rows) == [*range(1, 1001)]


@pytest.mark.parametrize(
    ("name", "text"),
    [("jsonl", '{"type": "echo"}\n' * 4), ("csv", "number\n1\n2\n3\n")],
)
def test_start_line_leaves_out_what_is_before_it(place: Place, name: str, text: str) -> None:
    (place.path / f"three.{name}").write_text(text)

    done = place.warrener("publish", f"three.{name}", "--type", "echo", "--start-line", "3")

    assert "2 tasks published" in done.stderr
    assert place.warrener("work", APP, "--drain").returncode == 0
    place.warrener("results", "-o", "out.jsonl")
    origins = sorted(str(row["origin"]) for row in place.rows("out.jsonl"))
    assert origins == [f"three.{name}:3", f"three.{name}:4"]


def test_file_that_says_again_what_it_had_said_has_the_later_wording(place: Place) -> None:
    for number in (1, 2, 1):
        changing = {"id": "a", "type": "echo", "data": {"number": number}}
        place.warrener("publish", place.tasks([changing, {"id": "b", "type": "echo", "data": {"number": 5}}]))
        place.warrener("work", APP, "--drain")
        place.warrener("results", "-o", "out.jsonl")
        found = {row["task_id"]: cast("list[int]", row["value"])[0] for row in place.rows("out.jsonl")}
        assert found == {"a": number, "b": 5}


async def test_publisher_says_that_it_waits_for_tasks_to_be_done_where_as_many_wait_as_may(
    each_place: Place,
) -> None:
    tasks = each_place.tasks([{"type": "echo", "data": {"number": number}} for number in range(4000)])
    publishing = each_place.begin("publish", tasks, "--window", "3000")
    await publishing.says("| 3,000 tasks wait there (--window): the rest follows as they are done")

    working = each_place.begin("work", APP)

    await each_place.has_completed(4000)
    assert publishing.end() == 0
    assert "4,000 tasks published" in publishing.said
    assert working.end(signal.SIGTERM) == 75

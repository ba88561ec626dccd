"""Results as files: safe to open in a spreadsheet, one row on a line, and nowhere but where they are wanted."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from tests.batch import publish
from tests.batch import task as message
from warrener.codec import encode
from warrener.models import Result
from warrener.writers import Format, ResultWriter

if TYPE_CHECKING:
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.place import Place
    from warrener.address import Address

FORMULAS: Final = [
    "=HYPERLINK(1)",
    "+1+cmd|' /C calc'!A0",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
]
# What a spreadsheet would take for the beginning of a formula, once it has read the cell.
_RUNS: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def row(task_id: str = "a", value: object = None, type_: str = "echo", worker: str = "host:1") -> bytes:
    return encode(Result(task_id, type_, "completed", msgspec.Raw(encode(value)), 1, worker, 1.0, 2.0, 1.0))


def written(form: Format, *rows: bytes) -> str:
    file = io.BytesIO()
    target = ResultWriter(file, form)
    target.write(rows)
    target.finish()
    return file.getvalue().decode()


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_table_begins_as_a_formula(formula: str) -> None:
    text = written("csv", row(formula, formula, formula, formula))

    (_, cells) = csv.reader(io.StringIO(text, newline=""), strict=True)

    assert [cells[0], cells[1], cells[3], cells[5]] == [f"'{formula}"] * 4
    assert not any(_RUNS.match(cell) for cell in cells)


@pytest.mark.parametrize("value", [-5, -5.25, -1e300, 0, True])
def test_numbers_of_a_table_stay_numbers(value: float) -> None:
    (_, cells) = csv.reader(io.StringIO(written("csv", row(value=value))))
    assert json.loads(cells[3]) == value


@pytest.mark.parametrize("value", [["=1"], {"=1": "=1"}, "text = 1", 'quote " and , and ;'])
def test_other_values_of_a_table_are_as_they_are(value: object) -> None:
    (_, cells) = csv.reader(io.StringIO(written("csv", row(value=value))))
    assert (cells[3] if isinstance(value, str) else json.loads(cells[3])) == value


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1e", "\x85", "\u2028", "\u2029", "\0"]
)
def test_a_value_cannot_begin_a_row_of_its_own(end: str) -> None:
    value = f'a{end}forged,echo,completed,1\n"forged","echo"{end}'

    text = written("csv", row(value=value), row("b"))
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [cells[0] for cells in found] == ["task_id", "a", "b"]
    assert found[1][3] == value
    # Nor for a reader that knows quotes, and takes each of these characters as an end of line.
    outside = re.sub(r'"(?:[^"]|"")*"', "", text)
    assert outside.count("\n") == 3
    assert not set(outside) & set("\r\x0b\x0c\x85\u2028\u2029")

    lines = written("jsonl", row(value=value), row("b")).split("\n")
    assert [json.loads(line)["task_id"] for line in lines[:-1]] == ["a", "b"]
    assert json.loads(lines[0])["value"] == value
    assert json.loads(written("json", row(value=value), row("b")))[0]["value"] == value


FORGED: Final = b'{"task_id":"forged","status":"completed"}'


async def test_a_row_that_is_written_over_several_lines_stays_one(
    rabbit_address: Address, channel: BlockingChannel, rabbit_place: Place
) -> None:
    await publish(rabbit_address, [])
    strange = [
        b'{"task_id":"a","value":"\xff"}',
        b'{"task_id":"a","value":%b}' % (b"[" * 100_000 + b"]" * 100_000),
    ]
    for body in (b'{"task_id":"true","value":\n%b\n}' % FORGED, b'{"task_id":"2",\r"value":1}', *strange):
        channel.basic_publish(f"{rabbit_address.queue}.outcomes", "results", body, mandatory=True)

    for form in ("jsonl", "json", "csv"):
        done = rabbit_place.warrener("results", "--format", form, "-o", f"out.{form}")
        assert done.returncode == 0, done.stderr
        assert "2 tasks: 2 completed" in done.stderr
        assert "2 left out that no worker wrote" in done.stderr

    assert [found["task_id"] for found in rabbit_place.rows("out.jsonl")] == ["true", "2"]
    table = csv.DictReader(io.StringIO((rabbit_place.path / "out.csv").read_text()))
    assert [found["task_id"] for found in table] == ["true", "2"]


DEEP_APP: Final = """
from warrener import App

app = App(retries=0)


@app.task
def nest(levels: int) -> object:
    value = 0
    for _ in range(levels):
        value = [value]
    return value
"""


def test_a_value_that_nests_deep_is_a_row_or_a_failure_and_never_lost(place: Place) -> None:
    (place.path / "deep.py").write_text(DEEP_APP)
    tasks = [
        {"type": "nest", "id": str(levels), "data": {"levels": levels}} for levels in range(700, 1000, 10)
    ]

    done = place.warrener(
        "run", "deep.py", place.tasks([*tasks, {"type": "nest", "id": "9", "data": {"levels": 9}}])
    )

    assert f"{len(tasks) + 1} tasks: " in done.stderr, done.stderr
    assert "0 missing; 0 duplicate rows dropped\n" in done.stderr
    table = place.warrener("results", "-o", "-", "--format", "csv")
    assert table.stdout.count("\n") == 1 + len(place.rows("results.jsonl")) > 1
    kept = place.warrener("failures", "export")
    assert len(kept.stdout.splitlines()) + len(place.rows("results.jsonl")) == len(tasks) + 1
    assert {json.loads(line)["reason"] for line in kept.stdout.splitlines()} == {"permanent"}


HOSTILE_NAMES: Final = [
    "../../escaped",
    "/tmp/escaped",
    "a/b",
    "..",
    ".",
    "~",
    "-",
    "$(touch escaped)",
    "%s%n",
    "\0",
]


def test_names_and_values_choose_no_file(place: Place) -> None:
    tasks: list[dict[str, Any]] = [
        {"type": "echo", "id": name, "data": {"text": name}} for name in HOSTILE_NAMES
    ]
    tasks += [{"type": name, "id": f"as type {name}"} for name in HOSTILE_NAMES]
    (place.path / "app.py").write_text(
        "from warrener import App\n\napp = App()\n\n@app.task\ndef echo(text: str) -> str:\n    return text\n"
    )
    work = place.path / "work"
    work.mkdir()
    place.tasks(tasks, "work/tasks.jsonl")
    before = _files(place.path)

    place.path = work
    done = place.warrener("run", "../app.py", "tasks.jsonl", "-o", "out.csv")
    place.warrener("failures", "export", "-o", "failures.jsonl")

    assert f"{len(HOSTILE_NAMES)} completed, {len(HOSTILE_NAMES)} failed, 0 missing" in done.stderr
    made = {
        name for name in _files(work.parent) - before if "__pycache__" not in name and ".warrener" not in name
    }
    assert made == {"work/out.csv", "work/failures.jsonl"}
    assert {path.name.partition(".db")[0] for path in (work / ".warrener").iterdir()} == {"tasks"}


def _files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_links_beside_the_file_are_not_followed(place: Place) -> None:
    """Whoever may write to the directory cannot have results written elsewhere by a link put there before."""
    place.tasks([])
    precious = place.path / "precious"
    precious.write_text("precious")
    for name in (".out.jsonl.unfinished", ".out.jsonl.aaaaaaaa.unfinished", "out.jsonl.unfinished"):
        (place.path / name).symlink_to(precious)
    place.warrener("setup")

    assert place.warrener("results", "-o", "out.jsonl").returncode == 0

    assert precious.read_text() == "precious"
    assert not (place.path / "out.jsonl").is_symlink()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_queue_is_for_its_user_alone_and_results_are_as_any_file(place: Place, umask: int) -> None:
    former = os.umask(umask)
    try:
        place.warrener("publish", place.tasks([{"type": "echo", "id": "a"}]))
        place.warrener("results", "-o", "out.jsonl")
    finally:
        os.umask(former)

    assert _mode(place.path / ".warrener") == 0o700
    assert _mode(place.path / ".warrener" / "work-queue.db") == 0o600
    assert _mode(place.path / "out.jsonl") == 0o666 & ~umask


async def test_the_files_of_an_open_queue_are_for_its_user_alone(place: Place) -> None:
    from warrener.brokers import connect

    (place.path / ".warrener").mkdir()
    await publish(place.address, [message("echo", "a")])
    async with connect(place.address) as broker:
        await broker.counts()
        modes = {path.name: _mode(path) for path in (place.path / ".warrener").iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)

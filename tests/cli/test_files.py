"""Files that commands read and write: never the wrong one, never exit code 0 over one that says something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from tests.batch import APP

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place


def _run_in_shell(place: Place, line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("warrener", f"{sys.executable} -m warrener", 1)
    return subprocess.run(  # noqa: S602 - a shell is what is tested
        command, shell=True, cwd=place.path, capture_output=True, text=True, check=False
    )


def _is_untouched(path: Path) -> bool:
    return not (path / ".warrener").exists()


@pytest.mark.parametrize("file", ["missing.jsonl", ".", "damaged.jsonl.gz"])
def test_file_that_cannot_be_read_makes_no_queue(place: Place, file: str) -> None:
    (place.path / "damaged.jsonl.gz").write_bytes(b"\x1f\x8b\x08 damaged")
    for verb in (("run", APP), ("publish",)):
        done = place.warrener(*verb, file)
        assert done.returncode == 2
        assert done.stderr.startswith(f"warrener: {file} cannot be read: ")
        assert done.stderr.count("\n") == 1
    assert _is_untouched(place.path)


def test_nothing_that_is_written_takes_the_place_of_a_program(place: Place) -> None:
    tasks = place.tasks([{"type": "echo"}])
    app = place.path / "app.py"
    app.write_text("import warrener\n")
    for verb in (
        ("run", "app.py", tasks, "-o", "app.py"),
        ("run", "app.py", tasks, "--invalid", "app.py"),
        ("run", "app.py", tasks, "--report", "app.py"),
        ("results", "-o", "app.py"),
        ("report", "-o", "app.py"),
    ):
        done = place.warrener(*verb)
        assert done.returncode == 2, verb
        assert (
            "app.py cannot be written: it is named as a program is; name a file that ends in ." in done.stderr
        )
    assert app.read_text() == "import warrener\n"


@pytest.mark.parametrize("output", ["tasks.jsonl", "./tasks.jsonl", "link.jsonl", "hard.jsonl"])
def test_results_never_take_the_place_of_the_tasks(place: Place, output: str) -> None:
    file = place.path / place.tasks([{"type": "echo"}])
    (place.path / "link.jsonl").symlink_to(file)
    os.link(file, place.path / "hard.jsonl")
    before = file.read_text()

    done = place.warrener("run", APP, "tasks.jsonl", "-o", output)

    assert done.returncode == 2
    assert "are the same file: the results would take the place of the tasks" in done.stderr
    assert file.read_text() == before
    assert _is_untouched(place.path)


@pytest.mark.parametrize("name", ["x.feather", "x.xlsx", "x.csv.gz", "x.jsonl.gz", "x.tsv", "x.JSONL.ZST"])
def test_results_are_not_written_under_the_name_of_another_format(place: Place, name: str) -> None:
    file = place.tasks([{"type": "echo"}])
    for verb in (("run", APP, file), ("results",)):
        done = place.warrener(*verb, "-o", name)
        assert done.returncode == 2
        assert f"{name} cannot be written: " in done.stderr
        assert "name a file that ends in .jsonl, .json, .csv or .parquet" in done.stderr
    assert _is_untouched(place.path)
    assert not (place.path / name).exists()


def test_results_are_written_as_parquet(place: Place) -> None:
    file = place.tasks([{"id": f"t{number}", "type": "echo"} for number in range(3)])

    assert place.warrener("run", APP, file, "-o", "out.parquet").returncode == 0
    piped = _run_in_shell(place, "warrener results --queue tasks --format parquet -o - > again.parquet")
    failed = place.warrener("failures", "export", "--queue", "tasks", "-o", "failed.parquet")

    assert piped.returncode == 0, piped.stderr
    for name in ("out.parquet", "again.parquet"):
        table = parquet.read_table(place.path / name)
        assert sorted(table["task_id"].to_pylist()) == ["t0", "t1", "t2"]
    assert failed.returncode == 2
    assert "only results are written so; name a file that ends in .jsonl, .json or .csv" in failed.stderr


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"])
def test_results_go_into_a_pipe_and_after_what_is_in_a_file(place: Place, output: str) -> None:
    place.tasks([{"type": "echo"}])
    assert place.warrener("run", APP, "tasks.jsonl", "-o", "out.jsonl").returncode == 0

    piped = _run_in_shell(place, f"warrener results --queue tasks -o {output} | cat")
    appended = _run_in_shell(place, f"warrener results --queue tasks -o {output} >> out.jsonl")

    assert [json.loads(line)["type"] for line in piped.stdout.splitlines()] == ["echo"], piped.stderr
    assert appended.returncode == 0, appended.stderr
    assert len((place.path / "out.jsonl").read_text().splitlines()) == 2


def test_invalid_lines_are_counted_and_written_to_a_file_that_can_be_mended(place: Place) -> None:
    (place.path / "tasks.csv").write_text('n;kind\n1;whole\n2\n3;whole\n"4;whole\n')
    options = ("--type-column", "kind", "-o", "out.jsonl")

    done = place.warrener("run", APP, "tasks.csv", "--invalid", "bad.csv", *options)

    assert done.returncode == 0, done.stderr
    assert "2 invalid lines left out; they are in bad.csv" in done.stderr
    assert (place.path / "bad.csv").read_text() == 'n;kind\n2\n"4;whole\n'
    (place.path / "bad.csv").write_text("n;kind\n2;whole\n")
    assert place.warrener("run", APP, "bad.csv", "--invalid", "worse.csv", *options).returncode == 0
    assert (place.path / "worse.csv").read_text() == ""


def test_nothing_but_invalid_lines_is_no_success(place: Place) -> None:
    (place.path / "bad.jsonl").write_text("nope\n{\n")
    for verb in (("run", APP, "bad.jsonl", "-o", "out.jsonl"), ("publish", "bad.jsonl")):
        done = place.warrener(*verb, "--skip-invalid")
        assert done.returncode == 1, done.stderr
        assert "2 invalid lines left out" in done.stderr


def test_invalid_lines_never_take_the_place_of_tasks_or_results(place: Place) -> None:
    file = place.tasks([{"type": "echo"}])
    for names in ((file, "out.jsonl"), ("out.jsonl", "out.jsonl")):
        done = place.warrener("run", APP, file, "--invalid", names[0], "-o", names[1])
        assert done.returncode == 2
        assert "are the same file" in done.stderr
    assert _is_untouched(place.path)


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_file_without_tasks_leaves_the_results_as_they_are(place: Place, text: str) -> None:
    file = place.tasks([{"type": "echo"}])
    assert place.warrener("run", APP, file, "-o", "out.jsonl").returncode == 0
    (place.path / file).write_text(text)
    for verb in (("run", APP, file, "-o", "out.jsonl", "--fresh", "--yes"), ("publish", file)):
        done = place.warrener(*verb)
        assert (done.returncode, done.stderr) == (2, f"warrener: {file} has no tasks: nothing was done\n")
    assert len(place.rows("out.jsonl")) == 1
    assert "1 completed" in place.warrener("results", "-o", "all.jsonl").stderr


def test_stream_without_tasks_is_said_to_have_none(place: Place) -> None:
    done = place.warrener("publish", "-", text="")
    assert done.returncode == 0
    assert "stdin has no tasks" in done.stderr


def test_delimiter_is_one_character(place: Place) -> None:
    (place.path / "t.txt").write_text("n\tx\n1\t2\n")
    done = place.warrener("publish", "t.txt", "--type", "echo", "--delimiter", "\\t", "--id", "n")
    assert done.returncode == 0, done.stderr
    done = place.warrener("publish", "t.txt", "--type", "echo", "--delimiter", "::")
    assert done.returncode == 2
    assert "--delimiter takes one character" in done.stderr


def test_failures_are_not_written_under_the_name_of_another_format(place: Place) -> None:
    done = place.warrener("failures", "export", "-o", "failures.xlsx")
    assert done.returncode == 2
    assert "name a file that ends in .jsonl, .json or .csv" in done.stderr

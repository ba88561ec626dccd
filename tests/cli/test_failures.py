"""`warrener failures` as it is used: find the causes, try again, correct the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.place import Place

_APP: Final = """
from warrener import App, PermanentError

app = App()


@app.task
def load(file: str, region: str, n: int = 0) -> str:
    if not file.endswith(".jpg"):
        raise PermanentError(f"no picture: {file}")
    return file
"""


@pytest.fixture
def failed(each_place: Place) -> Place:
    """Where five tasks have failed for three causes, and one has not."""
    (each_place.path / "app.py").write_text(_APP)
    files = [("a.png", "eu"), ("b.png", "us"), ("c.gif", "eu"), ("d.jpg", "eu")]
    tasks: list[object] = [
        {"type": "load", "id": file[0], "data": {"file": file, "region": region, "n": 7}, "priority": 8}
        for file, region in files
    ]
    tasks += [
        {"type": "load", "id": "n", "data": {"file": "e.jpg", "region": "eu", "n": "=1+1"}},
        {"type": "load", "id": "r", "data": {"file": "f.jpg"}},
    ]
    assert each_place.warrener("publish", each_place.tasks(tasks)).returncode == 0
    assert each_place.warrener("work", "app.py", "--drain").returncode == 0
    return each_place


def test_groups_are_causes_with_times_and_an_example_that_can_be_found(failed: Place) -> None:
    listed = failed.warrener("failures", "list", "--json")
    groups = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(group["reason"], group["count"]) for group in groups] == [
        ("permanent", 3),
        ("invalid", 1),
        ("invalid", 1),
    ]
    assert groups[0]["fingerprint"] == "no picture: <value>"
    assert groups[0]["first_failed_at"] <= groups[0]["last_failed_at"]
    assert {group["example_origin"] for group in groups[1:]} == {"tasks.jsonl:5", "tasks.jsonl:6"}
    lines = failed.warrener("failures", "list").stdout.splitlines()
    assert lines[0].split()[:2] == ["3", "permanent"]
    assert f"(as {groups[0]['example_id']}, {groups[0]['example_origin']}; 2" in lines[0]
    assert "origin    tasks.jsonl:3\n" in failed.warrener("failures", "show", "c").stdout


def test_dry_run_says_what_the_same_command_then_does(failed: Place) -> None:
    words = ["--where", "data.region=eu", "--error-match", "no picture: .*(png|gif)"]
    dry = failed.warrener("failures", "retry", *words, "--dry-run")
    assert "2 failures would be published as tasks again; nothing is changed" in dry.stderr
    assert dry.stdout.split()[:2] == ["2", "permanent"]
    assert "5 failures" in failed.warrener("failures", "list").stderr
    assert "2 failures published as tasks again" in failed.warrener("failures", "retry", *words).stderr
    dry = failed.warrener("failures", "discard", "b", "z", "--dry-run")
    assert dry.returncode == 1
    assert "1 failure would be discarded; nothing is changed" in dry.stderr
    assert "no such failure of task 'z'" in dry.stderr
    assert "3 failures" in failed.warrener("failures", "list").stderr


def test_table_of_failures_is_corrected_and_run(failed: Place) -> None:
    assert "5 failures exported" in failed.warrener("failures", "export", "-o", "failed.csv").stderr
    table = failed.path / "failed.csv"
    text = table.read_text().replace(".png,", ".jpg,").replace("c.gif,", "c.jpg,")
    text = text.replace('"""=1+1"""', "9").replace("f.jpg,,", "f.jpg,asia,")
    table.write_text(text)
    done = failed.warrener("run", "app.py", "failed.csv", "-o", "out.jsonl", "--share")
    assert "5 tasks: 5 completed, 0 failed" in done.stderr
    assert done.returncode == 0
    assert "0 failures" in failed.warrener("failures", "list").stderr
    assert {row["task_id"]: row["value"] for row in failed.rows("out.jsonl")} == {
        "a": "a.jpg",
        "b": "b.jpg",
        "c": "c.jpg",
        "n": "e.jpg",
        "r": "f.jpg",
    }


def test_exports_have_the_same_failures_in_each_format(failed: Place) -> None:
    for name in ("failed.jsonl", "failed.json"):
        failed.warrener("failures", "export", "--where", "data.region=eu", "-o", name)
    assert json.loads((failed.path / "failed.json").read_text()) == failed.rows("failed.jsonl")
    assert {row["task_id"] for row in failed.rows("failed.jsonl")} == {"a", "c", "n"}
    table = failed.warrener("failures", "export", "--where", "data.region=us", "--format", "csv").stdout
    assert [line.split(",")[0] for line in table.splitlines()] == ["file", "b.png"]


@pytest.mark.parametrize("verb", ["list", "retry", "discard", "export"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--where", "data"], "'data' is no PATH=VALUE: write data.region=eu"),
        (["--where", "region=eu"], "a path begins with data, id"),
        (["--error-match", "("], "'(' is no regular expression: missing )"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    place: Place, verb: str, words: list[str], sentence: str
) -> None:
    done = place.warrener("failures", verb, *words)
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 2

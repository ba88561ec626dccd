"""The README, followed to the letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.documents import ROOT, Document, parse

if TYPE_CHECKING:
    from tests.place import Place

README: Final = Document("README.md")
COMMANDS: Final = README.commands()


def test_ten_lines_and_a_file_of_tasks_are_a_batch(place: Place) -> None:
    for name, text in README.files().items():
        (place.path / name).write_text(text)
    (place.path / "README.md").write_text(README.text)

    for command, shown in _session():
        words = command.split()
        if words[0] == "cat":
            (place.path / words[1]).write_text(shown)
            continue
        assert words[0] == "warrener"
        done = place.warrener(*words[1:])
        assert done.returncode == 0, done.stderr
        assert shown.strip() in done.stderr

    rows = {row["task_id"]: row["value"] for row in place.rows("results.jsonl")}
    assert rows == {"readme": len(README.text.splitlines()), "app": len(README.files()["app.py"])}


def test_failures_are_listed_shown_and_retried_as_it_says(place: Place) -> None:
    app = README.files()["app.py"].replace("retries=3, timeout=60", "retries=0, timeout=0.1")
    (place.path / "app.py").write_text(
        app.replace("    text =", "    while file == 'slow': pass\n    text =")
    )
    tasks = [
        {"id": "ID", "type": "measure", "data": {"file": "slow"}},
        {"type": "measure", "data": {"file": "no"}},
    ]
    assert place.warrener("run", "app.py", place.tasks(tasks)).returncode == 1
    listed, shown, retried, *_ = (words for words in COMMANDS if words[0] == "failures")

    groups = place.warrener(*listed)
    assert {"1 timed-out TimedOut", "1 exhausted FileNotFoundError"} == {
        re.sub(r"\s+", " ", line).strip().split(":")[0] for line in groups.stdout.splitlines()
    }
    assert "TimedOut: killed at its time limit" in place.warrener(*shown).stdout
    assert "1 failure published as tasks again" in place.warrener(*retried).stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_exist(words: list[str]) -> None:
    parse(words)


def test_commands_were_found() -> None:
    lines = [line for line in README.text.splitlines() if re.match(r"(\$ )?warrener ", line)]
    assert len(COMMANDS) == len(lines) > 8


def test_make_targets_exist() -> None:
    targets = re.findall(r"^make (\w+)", README.text, re.MULTILINE)
    made = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert set(targets) <= set(made)


def _session() -> list[tuple[str, str]]:
    """What is typed after `$` and what is printed then."""
    (block,) = (block for block in README.blocks() if block.startswith("$ "))
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return [
        (command, shown.rstrip("\n") + "\n") for command, shown in zip(parts[::2], parts[1::2], strict=True)
    ]

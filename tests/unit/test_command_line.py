"""What a command is given of a task is one word, whatever is in it; what it cannot be given is refused by name."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warrener.errors import AppError
from warrener.models import Task
from warrener.worker.command_line import CommandLine, NoSuchValue

if TYPE_CHECKING:
    from pathlib import Path

text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30) | st.sampled_from(
    ["$(echo no)", "'; echo no; '", '"', "`echo no`", "-n", "*", "a  b\n", "\\"]
)


def a_task(**data: Any) -> Task:
    return Task("the id", "the type", data)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("echo {data.a} '{data.b.c}x' {id}", ["echo", "a b", "1x", "the id"]),
        (
            "echo {{data.a}} ${data.a} {} {1} {data.b}",
            ["echo", "{data.a}", "${data.a}", "{}", "{1}", '{"c":1}'],
        ),
    ],
)
def test_values_are_words(line: str, words: list[str]) -> None:
    assert CommandLine(line).words(a_task(a="a b", b={"c": 1})) == words


@settings(max_examples=40)
@given(text, st.sampled_from(["{data.a}", '"{data.a}"', '"it is \\"{data.a}"', "\\'{data.a}"]))
def test_shell_takes_no_value_for_a_part_of_its_script(value: str, placed: str) -> None:
    line = CommandLine(f"printf %s {placed}", is_shell=True)

    said = subprocess.run(line.words(a_task(a=value)), capture_output=True, check=True).stdout

    before = {'"it is \\"{data.a}"': 'it is "', "\\'{data.a}": "'"}.get(placed, "")
    assert said == (before + value).encode()


@pytest.mark.parametrize(
    ("line", "is_shell", "why"),
    [
        ("echo {file}", False, "asks for {file}, and there are {data.NAME}"),
        ("echo {file}", True, "asks for {file}, and there are {data.NAME}"),
        ("echo '{data.file}'", True, "within single quotes"),
        ("no-such-command {data.file}", False, "does not exist or is not executable"),
        ("cd /tmp && ls", False, "give --shell"),
        ("echo 'open", False, "cannot be read"),
        (" ", True, "does not exist"),
    ],
)
def test_command_that_can_do_nothing_is_refused(line: str, is_shell: bool, why: str) -> None:
    with pytest.raises(AppError) as refused:
        CommandLine(line, is_shell=is_shell)
    assert why in str(refused.value)


def test_task_that_lacks_what_is_asked_for_is_told_what() -> None:
    with pytest.raises(NoSuchValue, match="no 'c'"):
        CommandLine("echo {data.b.c}").words(a_task(b=1))


@pytest.mark.parametrize(
    ("name", "content", "mode", "said"),
    [
        ("dos.sh", b"#!/bin/sh\r\necho 1\r\n", 0o755, "has line ends of Windows"),
        ("bare.sh", b"echo 1\n", 0o755, "without a first line as #!/bin/sh"),
        ("plain.sh", b"#!/bin/sh\necho 1\n", 0o644, "is not executable: `chmod \\+x"),
        ("a b.sh", b"#!/bin/sh\necho 1\n", 0o755, "has blanks in its path: quote it"),
        ("good.sh", b"#!/bin/sh\necho 1\n", 0o755, ""),
    ],
)
def test_file_that_cannot_be_run_is_named_with_the_way_out(
    tmp_path: Path, name: str, content: bytes, mode: int, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    file.chmod(mode)

    if not said:
        CommandLine(str(file))
        return
    with pytest.raises(AppError, match=said):
        CommandLine(str(file))

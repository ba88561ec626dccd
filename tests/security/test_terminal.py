"""What strangers wrote does not steer a terminal, begin a line, or turn the direction of reading."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pika
import pytest

from tests.batch import APP, PATIENCE, drain, publish, task
from tests.place import Place
from tests.security.strangers import send
from warrener.cli.printing import PlainFormatter
from warrener.text import escape_json, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.forked import BegunCommand
    from warrener.address import Address

# Colour, a new title, the 8-bit forms of both, backspaces, a turn of direction, ends of lines.
HOSTILE: Final = "\x1b[31m\x1b]0;owned\x07\x9b31m\x9d0;owned\x9c\x08\x7f\u202e\u202a\u2066\u2069\u2028\u2029\x85\x0b\x0c\rowned"
LINES: Final = f"{HOSTILE}\nwarrener: all is well\n[red]red[/red][link=http://owned]here[/link]"
IN_NAME: Final = f"{HOSTILE}[red]x[link=owned]"
# All that a terminal might obey; a carriage return is one where no end of line follows.
STEERING: Final = re.compile(
    r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u061c\u200e\u200f]|\r(?!\n)"
)
TERMINAL: Final = {"TERM": "xterm-256color", "COLUMNS": "400"}
# What the live bar itself writes: colours, the cursor's moves.
_OF_THE_BAR: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\[[0-9;]*m|\r")


def on_a_pipe(place: Place, words: Sequence[str], stdin: str = "") -> str:
    """What a command writes to a pipe."""
    ours, theirs = os.pipe()
    process = place.begin(*words, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs).process
    os.close(theirs)
    assert process.stdin
    process.stdin.write(stdin.encode())
    process.stdin.close()
    return _seen(ours, process)


def in_a_terminal(place: Place, words: Sequence[str], stdin: str = "") -> str:
    """What a terminal gets of a command whose input and outputs it is."""
    place.environment |= TERMINAL
    ours, theirs = pty.openpty()
    process = place.begin(*words, stdin=theirs, stdout=theirs, stderr=theirs).process
    os.close(theirs)
    os.write(ours, stdin.encode())
    return _seen(ours, process)


def _seen(ours: int, process: subprocess.Popen[bytes] | BegunCommand) -> str:
    seen = b""
    with suppress(OSError):  # how Linux says that nobody writes to a terminal any more
        while data := os.read(ours, 1 << 16):
            seen += data
    os.close(ours)
    process.wait(PATIENCE)
    return seen.decode()


@pytest.fixture(params=[on_a_pipe, in_a_terminal])
def sanitize(request: pytest.FixtureRequest) -> Callable[..., str]:
    told: Callable[..., str] = request.param
    return told


@pytest.fixture(scope="module")
def failed_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where tasks have failed whose every part is hostile; all look at it, and change nothing."""
    place = Place(tmp_path_factory.mktemp("failed"))
    tasks = [
        {"type": "fail", "id": LINES, "data": {"message": LINES}},
        {"type": LINES[:150], "id": "unknown"},
        {"type": "permanent_by_type", "id": "other", "data": {LINES: LINES}},
        {"type": "echo", "id": "completed", "data": {"text": LINES}},
    ]
    (place.path / "app.py").write_text(APP_TEXT)
    place.warrener("run", "app.py", place.tasks(tasks))
    return place


APP_TEXT: Final = """
from warrener import App

app = App(retries=0)


@app.task
def fail(message: str) -> None:
    raise type(message, (Exception,), {})(message)


@app.task
def permanent_by_type(number: int) -> None: ...


@app.task
def echo(text: str) -> str:
    return text
"""


@pytest.mark.parametrize("words", [["list"], ["show", LINES], ["show", "unknown"], ["show", "other"]])
def test_failures(failed_place: Place, sanitize: Callable[..., str], words: list[str]) -> None:
    text = sanitize(failed_place, ["failures", *words])

    assert "owned" in text
    assert not STEERING.findall(text)
    assert not re.findall(r"^warrener: all is well", text, re.MULTILINE)
    assert "[red]" in text


@pytest.mark.parametrize(
    "words",
    [
        ["results"],
        ["results", "--format", "json"],
        ["results", "--format", "csv"],
        ["failures", "list", "--json"],
        ["failures", "show", "--json", LINES],
        ["failures", "export"],
    ],
)
def test_data_in_a_terminal_is_escaped_and_on_a_pipe_exact(failed_place: Place, words: list[str]) -> None:
    seen = in_a_terminal(failed_place, words)
    assert "owned" in seen
    assert not STEERING.findall(seen)

    exact = failed_place.warrener(*words).stdout
    assert "\\u001b" in exact or words[-1] == "csv"
    assert "\u202e" in exact  # JSON needs no escape there
    if words[-1] != "csv":
        lines = [line.removesuffix("\r") for line in seen.split("\n") if line[:1] in ("{", "[", "]")]
        assert lines == [escape_json(line.encode()).decode() for line in exact.split("\n") if line]


def test_escaped_json_is_the_same_json() -> None:
    text = json.dumps(LINES + "\U000e0001\u00a0", ensure_ascii=False)
    assert json.loads(escape_json(text.encode())) == json.loads(text)


@pytest.fixture(scope="module")
def named_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where files have hostile names, and hostile lines in them."""
    place = Place(tmp_path_factory.mktemp("named"))
    for end, text in (
        ("jsonl", f'{{"type": "echo"}}\n{{"id": {json.dumps(LINES)}, "{LINES[:9]}": 1}}\n{HOSTILE}\n'),
        ("csv", f"number,{IN_NAME}\n1\n"),
        ("py", f"raise ValueError({LINES!r})\n"),
    ):
        (place.path / f"{IN_NAME}.{end}").write_bytes(text.encode())
    place.tasks([{"type": "echo"}], "a.jsonl")
    place.warrener("setup", "--broker", f"sqlite:{IN_NAME}.db")
    place.warrener("setup")
    return place


@pytest.mark.parametrize(
    "words",
    [
        ["publish", f"{IN_NAME}.jsonl"],
        ["publish", f"{IN_NAME}.jsonl", "--skip-invalid"],
        ["publish", f"no {IN_NAME}.jsonl"],
        ["publish", f"{IN_NAME}.csv", "--type", "echo"],
        ["publish", "a.jsonl", IN_NAME],
        ["run", f"{IN_NAME}.py", "a.jsonl"],
        ["run", f"no {IN_NAME}.py", "a.jsonl"],
        ["run", APP, f"{IN_NAME}.jsonl", "--skip-invalid", "-o", f"out {IN_NAME}.jsonl"],
        ["work", IN_NAME],
        ["work", "--exec", IN_NAME],
        ["work", APP, "--drain", "--processes", IN_NAME],
        ["work", APP, f"--{IN_NAME}"],
        [IN_NAME],
        ["status", "--broker", f"sqlite:{IN_NAME}.db"],
        ["status", "--broker", f"sqlite:no {IN_NAME}.db"],
        ["status", "--broker", f"file:{IN_NAME}"],
        ["status", "--broker", f"amqp://{IN_NAME}"],
        ["status", "--broker", f"k8s:{IN_NAME}"],
        ["status", "--queue", IN_NAME],
        ["doctor", "--broker", f"sqlite:{IN_NAME}.db"],
        ["results", "--broker", f"sqlite:{IN_NAME}.db", "-o", f"{IN_NAME}/{IN_NAME}"],
        ["results", "--format", IN_NAME],
        ["failures", "show", IN_NAME],
        ["failures", "retry", "a", "--data", IN_NAME],
        ["purge", "--broker", f"sqlite:{IN_NAME}.db"],
        ["delete", "--broker", f"sqlite:{IN_NAME}.db", "--yes"],
        ["setup", f"no {IN_NAME}.py"],
        ["setup", "--users", IN_NAME, "--broker", "amqp://host"],
        ["k8s", "render", f"no {IN_NAME}.py"],
        ["k8s", "render", "--section", IN_NAME],
    ],
    ids=lambda words: " ".join(word for word in words if "owned" not in word),
)
def test_names_of_files_and_queues_in_every_sentence(named_place: Place, words: list[str]) -> None:
    text = in_a_terminal(named_place, words, stdin="n\n")

    if words[0] in ("publish", "run"):
        text = _OF_THE_BAR.sub("", text)
    assert text
    assert not STEERING.findall(text)
    assert not re.findall(r"^warrener: all is well", text, re.MULTILINE)


BAR: Final = """\
import sys
from warrener.cli.progress import Progress

text = sys.argv[1]
with Progress(text) as progress:
    progress.show(text, 1, 2, text)
    progress.show(text, 2, 2, text)
"""


def test_the_live_bar(place: Place) -> None:
    """A title is a queue's name, but its text may be an event of a cluster, or a broker's alarm."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", BAR, LINES.replace("\n", "")]
    process = subprocess.Popen(
        command, env=place.environment | TERMINAL, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = _seen(ours, process)

    assert "[red]red[/red][link=http://owned]here[/link]" in seen
    assert not STEERING.findall(_OF_THE_BAR.sub("", seen))
    assert "\x1b[31m" not in seen
    assert "\x1b]" not in seen


def test_the_log_of_a_worker() -> None:
    record = logging.LogRecord("a", logging.WARNING, "", 0, "%s", (LINES,), None)
    text = PlainFormatter("%(levelname)s %(message)s").format(record)
    assert "\n" not in text
    assert not STEERING.findall(text)
    with pytest.raises(ValueError, match="owned") as caught:
        int(LINES)
    record.exc_info = (caught.type, caught.value, caught.tb)
    text = PlainFormatter().format(record)
    assert len(text.split("\n")) > 2
    assert not STEERING.findall(text)


async def test_what_a_message_holds_steers_nobody(
    rabbit_address: Address, channel: BlockingChannel, rabbit_place: Place, sanitize: Callable[..., str]
) -> None:
    await publish(rabbit_address, [task("permanent", "a", text=HOSTILE), task(f"no {LINES[:100]}", "b")])
    headers = {"warrener": json.dumps({"history": [{"number": 1, "error": LINES, "traceback": LINES}]})}
    send(channel, rabbit_address, LINES.encode(), pika.BasicProperties(message_id=IN_NAME, headers=headers))

    work = ["work", APP, "--drain", "--processes", "1"]
    for words in (work, ["status"], ["doctor"], ["failures", "list"], ["failures", "show", IN_NAME]):
        text = sanitize(rabbit_place, words)
        assert text
        assert not STEERING.findall(text)
    await drain(rabbit_address)


@pytest.mark.parametrize("text", ["a\tb", "ÄÖ漢字 é 🐇", "a b", r"\x1b"])
def test_what_people_read_stays_as_it_is(text: str) -> None:
    assert plain(text) == text

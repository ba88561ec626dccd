"""Commands where users have them: files beside the app, streams that are closed, terminals that go away, containers."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import APP, PATIENCE, eventually, until_written
from tests.place import WARRENER
from warrener.cli import _end

if TYPE_CHECKING:
    from tests.place import Place

# What `python -m` itself has loaded before it finds us: nobody can help a user who hides these.
PYTHONS: Final = "import runpy, sys; print(*{name.partition('.')[0] for name in sys.modules})"

HIDING: Final = """
import queue, sys
from warrener import App

app = App(retries=0)
queue.SimpleQueue()  # the one of the standard library is loaded, and stays what it is

@app.task
def arguments() -> list[str]:
    print("said")
    return sys.argv

@app.task
async def nothing(file: str | None = None) -> None: ...

@app.task
def fail() -> None:
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError("then") from error
"""

ORPHANS: Final = """
import subprocess, time
from pathlib import Path
from warrener import App

app = App()

@app.task
def leave(number: int) -> None:
    subprocess.run(["sh", "-c", "sleep 0.1 & sleep 0.1 &"], check=True)

def states() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(file.read_text().rpartition(")")[2].split()[0])
        except OSError:
            pass
    return found

@app.task
def zombies(patience: float) -> int:
    end = time.monotonic() + patience
    time.sleep(0.3)  # they have ended by then, or do so meanwhile
    while "Z" in states() and time.monotonic() < end:
        time.sleep(0.05)
    return states().count("Z")
"""

DYING: Final = """
import os
from warrener import App

app = App()
os.register_at_fork(after_in_child=lambda: os._exit(3))

@app.task
def nothing() -> None: ...
"""


def test_files_beside_the_app_hide_no_module_of_ours(place: Place) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PYTHONS], capture_output=True, text=True, check=True
    ).stdout.split()
    there = {name for name in sys.stdlib_module_names if not name.startswith("_") and find_spec(name)}
    for name in {*there, "msgspec", "click", "rich"} - {*loaded}:
        (place.path / f"{name}.py").write_text(f"raise RuntimeError('{name} of the user')")
    (place.path / "app.py").write_text(HIDING)
    tasks = place.tasks([{"type": name, "id": name} for name in ("arguments", "nothing", "fail")])

    done = place.run(*WARRENER, "run", "app.py", tasks, "-o", "out.jsonl")

    assert "of the user" not in done.stderr
    assert {row["task_id"]: row["value"] for row in place.rows("out.jsonl")} == {
        "arguments": ["app.py"],
        "nothing": None,
    }
    shown = place.warrener("failures", "show", "fail", "--queue", "tasks").stdout
    assert "KeyError: 'first'" in shown
    assert "ValueError: then" in shown


def test_children_that_die_before_their_first_task_cost_no_task(place: Place) -> None:
    (place.path / "app.py").write_text(DYING)
    place.warrener("publish", place.tasks([{"type": "nothing", "id": "innocent"}]))

    done = place.run(*WARRENER, "work", "app.py", "--drain")

    assert done.returncode == 78
    assert "a child dies before its first task: its process ended with exit code 3" in done.stderr
    assert "Traceback" not in done.stderr
    (place.path / "app.py").write_text(DYING.replace("os._exit(3)", "None"))
    assert place.warrener("work", "app.py", "--drain").returncode == 0
    assert place.warrener("results", "-o", "out.jsonl").returncode == 0
    assert [row["attempts"] for row in place.rows("out.jsonl")] == [1]


def test_streams_may_be_closed(place: Place) -> None:
    (place.path / "app.py").write_text(HIDING)
    tasks = place.tasks([{"type": "arguments", "id": "a"}])
    closed = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *WARRENER)

    assert place.run(*closed, "publish", tasks).returncode == 0
    assert place.run(*closed, "work", "app.py", "--drain").returncode == 0
    assert place.run(*closed, "results", "-o", "out.jsonl").returncode == 0
    assert place.rows("out.jsonl")[0]["value"] == ["app.py"]
    assert place.run(*closed, "run", "app.py", tasks, "-o", "again.jsonl").returncode == 0
    assert len(place.rows("again.jsonl")) == 1
    for verb, why in (("results", "Bad file descriptor"), ("status", "it is closed")):
        done = place.run("sh", "-c", 'exec "$@" >&-', "sh", *WARRENER, verb, "--queue", "tasks")
        assert done.returncode
        assert done.stderr.endswith(f"warrener: stdout cannot be written: {why}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_disk_behind_a_stream_may_be_full(place: Place, unbuffered: str) -> None:
    tasks = place.tasks([{"type": "echo"}])
    place.environment["PYTHONUNBUFFERED"] = unbuffered
    out = ("sh", "-c", 'exec "$@" >/dev/full', "sh", *WARRENER)
    err = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *WARRENER)

    assert place.run(*err, "run", APP, tasks, "-o", "out.jsonl").returncode == 0
    assert place.run(*err, "status", "--nothing").returncode == 2
    for words in (
        ["status"],
        ["status", "--json"],
        ["batches"],
        ["batches", "--json"],
        ["--help"],
        ["results"],
    ):
        done = place.run(*out, *words)
        assert done.stderr == "warrener: stdout cannot be written: No space left on device\n"
        assert done.returncode == 2


def test_full_temporary_directory_is_no_fault_of_stdout() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space") as caught:
        raise error

    _end(caught.value)  # leaves it to whoever called it


@pytest.mark.parametrize("is_ignored", [False, True])
async def test_terminal_that_goes_away_stops_a_worker_unless_it_is_to_stay(
    place: Place, is_ignored: bool
) -> None:
    gate, log = place.path / "gate", place.path / "log"
    place.warrener(
        "publish", place.tasks([{"type": "wait_for", "data": {"file": str(gate), "log": str(log)}}])
    )
    before = signal.signal(
        signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL
    )  # as `nohup` does it
    worker = place.begin("work", APP, "--drain", "--grace", "0", is_fresh=True)
    signal.signal(signal.SIGHUP, before)
    await until_written(log, 1)

    worker.process.send_signal(signal.SIGHUP)

    if is_ignored:
        gate.touch()
        assert worker.end(signal.SIG_DFL) == 0
    else:
        assert worker.end() == 75
        gate.touch()
        assert place.warrener("work", APP, "--drain").returncode == 0
    place.warrener("results", "-o", "out.jsonl")
    assert [row["attempts"] for row in place.rows("out.jsonl")] == [1]


async def test_run_ends_as_stopped_when_the_terminal_with_its_bar_goes_away(place: Place) -> None:
    gates, log = [place.path / f"gate-{number}" for number in range(50)], place.path / "log"
    tasks = place.tasks(
        [{"type": "wait_for", "data": {"file": str(gate), "log": str(log)}} for gate in gates]
    )
    terminal, its_end = pty.openpty()
    options = ("-o", "out.jsonl", "--processes", "1")
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs these tests by nohup ignores it
    run = place.begin("run", APP, tasks, *options, stderr=its_end, is_fresh=True)
    signal.signal(signal.SIGHUP, before)
    os.close(its_end)
    await until_written(log, 1)

    os.close(terminal)
    run.process.send_signal(signal.SIGHUP)

    # Then it ends with the task that runs when it hears of that, which may be a later one
    async def has_ended() -> bool:
        gates[len(log.read_text().splitlines()) - 1].touch()
        return run.process.poll() is not None

    await eventually(has_ended)
    assert run.end() == 75


def test_orphans_are_reaped_in_a_container(place: Place) -> None:
    (place.path / "app.py").write_text(ORPHANS)
    tasks = [{"type": "leave", "data": {"number": number}} for number in range(10)]
    place.tasks([*tasks, {"type": "zombies", "id": "z", "priority": 0, "data": {"patience": PATIENCE / 2}}])
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]

    done = place.run(
        "unshare", *user, "--pid", "--fork", "--mount-proc", *WARRENER,
        "run", "app.py", "tasks.jsonl", "-o", "out.jsonl", "--processes", "1",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert {row["task_id"]: row["value"] for row in place.rows("out.jsonl")}["z"] == 0

"""Programs that run batches: where their apps are, and what they say when they cannot be run."""

from __future__ import annotations

import gc
import os
import pty
import signal
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import pytest

import warrener
from tests.batch import PATIENCE, until_written
from warrener.api.place import place_of, program
from warrener.api.progress import shown
from warrener.brokers import Counts
from warrener.errors import UsageError
from warrener.importing import importing
from warrener.monitor import Status

if TYPE_CHECKING:
    from pathlib import Path

APP: Final = """
import os, pathlib, time
from warrener import App

app = App(retries=0)

@app.task
def double(number: int) -> int:
    with open("ran", "a") as lines:
        print(number, file=lines)
    while number > 100 and not pathlib.Path("go").exists():
        time.sleep(0.01)
    return 2 * number
"""
PROGRAM: Final = """
import sys
import warrener
from work import double

if __name__ == "__main__":
    with warrener.map(double, map(int, sys.argv[1:]), processes=1) as batch:
        print(*(row.value for row in batch.ordered()))
"""


def run(directory: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A program, to its end."""
    with begin(directory, *words) as process:
        said = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess((), process.returncode, *said)


def begin(directory: Path, *words: object) -> subprocess.Popen[str]:
    """A program that runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")}
    command = [sys.executable, *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=directory, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_program_finds_the_modules_beside_it_and_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "job"
    home.mkdir()
    (home / "work.py").write_text(APP)
    (home / "script.py").write_text(PROGRAM)

    first = run(tmp_path, "job/script.py", 3, 1)
    assert (first.stdout, first.stderr, first.returncode) == ("6 2\n", "", 0)
    assert (tmp_path / ".warrener" / "script-double.db").exists()

    (home / "work.py").write_text(APP + "# edited\n")
    second = run(tmp_path, "job/script.py", 1, 2)
    assert second.stdout == "2 4\n"
    assert "1 of these tasks had ended before, with an earlier version of" in second.stderr
    assert "fresh=True" in second.stderr
    assert (tmp_path / "ran").read_text().split() in (["3", "1", "2"], ["1", "3", "2"])


def test_program_without_a_guard_is_refused_and_does_not_run_itself(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{APP}\nimport warrener\nfor _ in warrener.map(double, [1]): pass")
    done = run(tmp_path, "script.py")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "it calls warrener.map while it is imported" in last
    assert 'under `if __name__ == "__main__":`' in last


async def test_interrupted_program_ends_once_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(APP)
    (tmp_path / "script.py").write_text(PROGRAM)
    process = begin(tmp_path, "script.py", 1, 101, 102)
    try:
        await until_written(tmp_path / "ran", 2)
        process.send_signal(signal.SIGINT)
        (tmp_path / "go").touch()
        said = process.communicate(timeout=PATIENCE)[1]
    finally:
        process.kill()
    assert process.returncode in (130, -signal.SIGINT)
    assert said.count("KeyboardInterrupt") == 1

    assert run(tmp_path, "script.py", 1, 101, 102).stdout == "2 202 204\n"
    assert sorted((tmp_path / "ran").read_text().split()) == ["1", "101", "102"]


def test_app_that_no_process_could_import_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(number: int) -> int:
        return number

    hidden = warrener.App()
    with pytest.raises(UsageError, match="has no handlers"):
        place_of(hidden)
    handler = hidden.task(none)
    with pytest.raises(UsageError, match="at the top level of a file"):
        warrener.map(handler, [1])

    prompt = types.ModuleType("__main__")
    prompt.app = hidden  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", prompt)
    monkeypatch.setattr(none, "__module__", "__main__")
    with pytest.raises(UsageError, match="%%writefile"):
        warrener.map(handler, [1])
    assert program()[0] == ""


app = warrener.App()


@app.task
def same(number: int) -> int:
    return number


given: Any = warrener  # some of what follows is what a type checker refuses


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: given.map(len, [1]), "'len' is no handler"),
        (lambda: warrener.map(same, "a.jpg"), "not one str"),
        (lambda: given.run("app.py", {"type": "a"}), "not one dict"),
        (lambda: given.run("app.py", 3), "not one int"),
        (lambda: warrener.run("app.py", [], processes=0), "processes must be 1 or more"),
        (lambda: warrener.run("app.py", [], broker="ftp://host"), "scheme 'ftp'"),
        (lambda: warrener.run("app.py", "nothing.jsonl").__enter__(), "app file 'app.py' does not exist"),
    ],
)
def test_what_cannot_be_run_is_said(
    call: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=why):
        call()


def test_publishing_while_an_app_is_imported_is_refused() -> None:
    with importing("app.py"):
        with pytest.raises(UsageError, match=r"it calls warrener\.publish while it is imported"):
            warrener.publish([])
        with pytest.raises(UsageError, match="it calls Publisher"), warrener.Publisher(broker="memory:a"):
            pass


def test_batch_that_is_only_made_is_told_of() -> None:
    with pytest.warns(RuntimeWarning, match="made and never run"):
        warrener.map(same, [1])


@pytest.mark.filterwarnings("ignore:this batch was made and never run")
@pytest.mark.parametrize("ask", ["wait", "status", "failures"])
def test_batch_that_has_not_begun_is_not_waited_for_nor_asked(ask: str) -> None:
    batch = warrener.map(same, [1])
    with pytest.raises(UsageError, match="has not begun: enter it with `with`"):
        getattr(batch, ask)()
    del batch  # which tells that it was never run
    gc.collect()  # the traceback of its own error may hold it


def test_handler_added_elsewhere_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import work  # type: ignore[import-not-found]

    added = work.app.task("added")(handler_of_its_own)
    with pytest.raises(UsageError, match="has no handler for 'added'"), warrener.map(added, [1]):
        pass


def handler_of_its_own(number: int) -> int:
    return number


def test_rows_are_a_table_where_pandas_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from warrener.api.frame import frame

    row = warrener.Result("t", "double", {"a": 1}, 2, "host:1", 1.0, 2.0, 1.0, origin="a.jpg")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        frame([row])
    fake = types.SimpleNamespace(DataFrame=dict, to_datetime=lambda values, **_: [f"at {v}" for v in values])
    monkeypatch.setitem(sys.modules, "pandas", fake)
    table = frame([row, row])
    assert table["origin"] == ["a.jpg", "a.jpg"]
    assert table["value"] == [{"a": 1}, {"a": 1}]
    assert table["started_at"] == ["at 1.0", "at 1.0"]


def test_what_is_printed_beside_a_bar_stays_in_its_file(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    code = "from warrener.live_bar import LiveBar\nbar = LiveBar('running')\nprint('a row')\nbar.stop()"
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, check=True)
        assert b"running" in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == b"a row\n"


def test_program_whose_terminal_goes_away_beside_a_bar_ends_as_it_would() -> None:
    ours, theirs = pty.openpty()
    code = "from warrener.live_bar import LiveBar\nbar = LiveBar('running')\nprint(flush=True)\ninput()\nbar.stop()"
    pipe = subprocess.PIPE
    program = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=theirs)
    os.close(theirs)
    assert program.stdout
    program.stdout.read(1)

    os.close(ours)
    program.communicate(b"\n")

    assert program.returncode == 0


def test_progress_is_a_line_below_a_notebooks_cell_and_nothing_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def display(line: dict[str, str], **_: object) -> object:
        said.append(line["text/plain"])
        return types.SimpleNamespace(update=lambda line, **_: said.append(line["text/plain"]))

    status = Status(Counts(1, 0, 0, 3, 0, 1), 4, 3, None, None)
    with shown(True) as progress:
        progress.show(status, None)
    assert not said

    notebook = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=1),
        display=types.SimpleNamespace(display=display),
    )
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    with shown(True) as progress:
        progress.show(status, None)
        progress.show(status, "memory alarm")
    assert [line.startswith("3/4 | 75%") for line in said] == [True, True]
    assert said[1].endswith("| memory alarm")
    with shown(False) as progress:
        progress.show(status, None)
    assert len(said) == 2

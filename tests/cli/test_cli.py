"""The command as a whole: real processes, exit codes, one sentence for each mistake."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.make_cli import reference
from tests.batch import APP, eventually, until_written
from tests.place import children, has_ended

if TYPE_CHECKING:
    from tests.place import Place


def test_run_ends_with_a_line_that_accounts_for_every_task(place: Place) -> None:
    tasks = [{"type": "echo", "data": {"number": n}} for n in range(20)] + [{"type": "permanent"}]

    done = place.warrener("run", APP, place.tasks(tasks), "-o", "out.jsonl")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "21 tasks: 20 completed, 1 failed, 0 missing; 0 duplicate rows dropped" in done.stderr
    assert "failed, permanent: 1" in done.stderr
    rows = [json.loads(line) for line in (place.path / "out.jsonl").read_text().splitlines()]
    assert {row["origin"]: row["value"][0] for row in rows} == {f"tasks.jsonl:{n + 1}": n for n in range(20)}


def test_second_run_does_nothing_twice(place: Place) -> None:
    file = place.tasks([{"type": "echo"}] * 5)
    assert place.warrener("run", APP, file, "-o", "out.jsonl", "--fresh", text="").returncode == 0
    unasked = place.warrener("run", APP, file, "-o", "out.jsonl", "--fresh", text="")
    assert unasked.returncode == 2
    assert "Drop all that is on queue 'tasks'" in unasked.stderr

    again = place.warrener("run", APP, file, "-o", "again.jsonl")

    assert again.returncode == 0
    assert "5 tasks had ended before" in again.stderr
    assert (place.path / "again.jsonl").read_text() == (place.path / "out.jsonl").read_text()


async def test_killed_run_goes_on_where_it_was_without_publishing_again(place: Place) -> None:
    gate, log = place.path / "gate", place.path / "log"
    waiting = {"type": "wait_for", "data": {"file": str(gate), "log": str(log)}}
    file = place.tasks([{"type": "echo"}, waiting, waiting, {"type": "echo"}])
    running = place.begin("run", APP, file, "-o", "out.jsonl", "--processes", "1")
    await until_written(log, 1)
    running.end(signal.SIGKILL)
    with sqlite3.connect(place.path / ".warrener" / "tasks.db") as file_itself:
        file_itself.execute("UPDATE workers SET lease = 0")  # instead of waiting for its end
    file_itself.close()
    gate.touch()

    done = place.warrener("run", APP, file, "-o", "out.jsonl")

    assert done.returncode == 0, done.stderr
    assert "4 tasks: 4 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr


async def test_ctrl_c_in_a_terminal_is_no_error_however_early_it_comes(place: Place) -> None:
    file = place.tasks([{"type": "echo"}] * 5)
    (place.path / "slow.py").write_text(f"{Path(APP).read_text()}\nPath('imported').touch()\ntime.sleep(1)\n")
    running = place.begin("run", "slow.py", file, "-o", "out.jsonl", is_leader=True)

    async def is_importing() -> bool:
        return (place.path / "imported").exists()

    await eventually(is_importing)
    os.killpg(running.process.pid, signal.SIGINT)  # as a terminal does

    assert running.end() == 130, running.said
    assert "go on with: warrener run slow.py tasks.jsonl -o out.jsonl --queue tasks" in running.said
    assert "cannot be written" not in running.said


async def test_interrupted_run_says_how_to_go_on_and_does(place: Place) -> None:
    gate, log = place.path / "gate", place.path / "log"
    file = place.tasks([{"type": "wait_for", "data": {"file": str(gate), "log": str(log)}}] * 3)
    running = place.begin("run", APP, file, "-o", "out.jsonl", "--processes", "1")
    await until_written(log, 1)
    running.process.send_signal(signal.SIGINT)
    await running.says("stopping")
    assert running.end(signal.SIGINT) == 130
    assert not (place.path / "out.jsonl").exists()
    hint = re.search(r"go on with: warrener (run .*)", running.said)
    assert hint
    gate.touch()

    done = place.warrener(*hint[1].split())

    assert done.returncode == 0, done.stderr
    assert "3 tasks: 3 completed, 0 failed, 0 missing" in done.stderr


def test_each_verb_on_its_own(place: Place) -> None:
    tasks = [
        {"type": "echo", "id": "good"},
        {"type": "fail", "id": "bad", "data": {"message": "\x1b[31mred"}},
    ]
    assert place.warrener("publish", place.tasks(tasks)).returncode == 0
    assert place.warrener("work", APP, "--drain").returncode == 0

    status = json.loads(place.warrener("status", "--json").stdout)
    assert (status["ready"], status["completed"], status["failed"], status["progress"]) == (0, 1, 1, 1)
    watched = place.warrener("status", "--watch")
    assert (watched.returncode, "| p50 " in watched.stderr) == (1, True), watched.stderr
    table = place.warrener("results", "-o", "-", "--format", "csv")
    assert table.stdout.startswith("task_id,type,status,value,")
    assert "\ngood,echo,completed," in table.stdout
    assert json.loads(place.warrener("results", "--format", "json").stdout)[0]["task_id"] == "good"
    assert "exhausted" in place.warrener("failures", "list").stdout
    shown = place.warrener("failures", "show", "bad").stdout
    assert "attempt 4:" in shown
    assert "\x1b" not in shown
    assert place.warrener("failures", "export", "-o", "failures.jsonl").returncode == 0
    assert json.loads((place.path / "failures.jsonl").read_text())["task"]["id"] == "bad"
    assert "1 failure published as tasks again" in place.warrener("failures", "retry", "bad").stderr
    assert place.warrener("work", APP, "--drain").returncode == 0
    assert "1 failure discarded" in place.warrener("failures", "discard", "--yes").stderr
    assert place.warrener("doctor").returncode == 0
    for answer, code, why in (("n\n", 1, "nothing was done"), ("", 2, "nobody is there to answer; --yes")):
        asked = place.warrener("purge", text=answer)
        assert (asked.returncode, why in asked.stderr) == (code, True)
    watched = json.loads(place.warrener("status", "--watch", "--json").stdout.splitlines()[-1])
    assert (watched["completed"], watched["types"][0]["type"], watched["types"][0]["p50"] > 0) == (
        1,
        "echo",
        True,
    )
    assert watched["types_of"] == {"newest": 1, "rows": 1}
    assert place.warrener("purge", "--yes").returncode == 0
    purged = json.loads(place.warrener("status", "--json").stdout)
    assert (purged["total"], purged["completed"], purged["progress"]) == (0, 0, 1)
    assert place.warrener("delete", "--yes").returncode == 0
    assert place.warrener("status").returncode == 3


def test_command_as_handler(place: Place) -> None:
    script = place.path / "handler.py"
    script.write_text(
        "import json, sys\ntask = json.load(sys.stdin)\n"
        "if task['type'] == 'bad': sys.exit('cannot') if False else (print('cannot', file=sys.stderr), sys.exit(65))\n"
        "print(json.dumps(task['data']['n'] * 2))\n"
    )
    place.warrener(
        "publish", "-", text='{"type": "a", "id": "a", "data": {"n": 4}}\n{"type": "bad", "id": "b"}\n'
    )

    done = place.warrener("work", "--exec", f"{sys.executable} {script}", "--drain")

    assert done.returncode == 0, done.stderr
    assert json.loads(place.warrener("results").stdout)["value"] == 8
    listed = json.loads(place.warrener("failures", "list", "--json").stdout)
    assert (listed["reason"], listed["example_message"]) == ("permanent", "exit code 65: cannot")


async def test_sigterm_ends_a_worker_with_75_and_requeues(place: Place) -> None:
    gate, log = place.path / "gate", place.path / "log"
    place.warrener(
        "publish", place.tasks([{"type": "wait_for", "data": {"file": str(gate), "log": str(log)}}])
    )
    worker = place.begin("work", APP, "--grace", "0")
    await until_written(log, 1)
    assert worker.end(signal.SIGTERM) == 75
    assert json.loads(place.warrener("status", "--json").stdout)["ready"] == 1


async def test_app_that_never_ends_its_import_is_left_alone_when_the_worker_is_stopped(place: Place) -> None:
    (place.path / "stuck.py").write_text(
        "import time, pathlib\npathlib.Path('log').write_text('importing\\n')\ntime.sleep(3600)\n"
    )
    worker = place.begin("work", "stuck.py", is_fresh=True)
    await until_written(place.path / "log", 1)
    (fork_server,) = children(worker.process.pid)

    assert worker.end(signal.SIGTERM) == 75
    await has_ended(fork_server)


@pytest.mark.parametrize("words", [["results", "-o", "x" * 300], ["--broker", "sqlite:" + "x" * 300]])
def test_name_that_no_file_can_have_is_refused_in_one_sentence(place: Place, words: list[str]) -> None:
    place.warrener("publish", place.tasks([{"type": "echo"}]))
    done = place.warrener(*(words if words[0] == "results" else ["status", *words]))

    assert done.returncode in (2, 3)
    assert len(done.stderr.splitlines()) == 1
    assert "File name too long" in done.stderr


async def test_worker_that_is_stopped_while_its_app_imports_ends_with_75(place: Place) -> None:
    importing, go_on = place.path / "importing", place.path / "go-on"
    place.environment |= {"IMPORTING": str(importing), "GO_ON": str(go_on)}
    place.warrener("publish", place.tasks([{"type": "echo"}]))
    worker = place.begin("work", str(Path(__file__).with_name("slow_app.py")))
    await until_written(importing, 1)
    worker.process.terminate()
    go_on.touch()
    assert worker.end() == 75
    assert json.loads(place.warrener("status", "--json").stdout)["ready"] == 1


async def test_fork_server_that_is_killed_while_it_imports_is_replaced(place: Place) -> None:
    importing, go_on = place.path / "importing", place.path / "go-on"
    place.environment |= {"IMPORTING": str(importing), "GO_ON": str(go_on)}
    place.warrener("publish", place.tasks([{"type": "echo"}]))
    worker = place.begin("work", str(Path(__file__).with_name("slow_app.py")), "--drain", is_fresh=True)
    await until_written(importing, 1)
    (fork_server,) = children(worker.process.pid)
    os.kill(fork_server, signal.SIGKILL)
    go_on.touch()
    assert worker.end() == 0, worker.said


async def test_killed_worker_loses_nothing(place: Place) -> None:
    gate, log = place.path / "gate", place.path / "log"
    place.warrener(
        "publish", place.tasks([{"type": "wait_for", "data": {"file": str(gate), "log": str(log)}}] * 4)
    )
    worker = place.begin("work", APP, "--processes", "2")
    await until_written(log, 2)
    worker.end(signal.SIGKILL)
    gate.touch()

    assert place.warrener("work", APP, "--drain").returncode == 0

    done = place.warrener("results", "-o", "out.jsonl")
    assert "4 tasks: 4 completed, 0 failed, 0 missing; 0 duplicate rows dropped" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run", "nowhere.py", "tasks.jsonl"], 2, "app file 'nowhere.py' does not exist"),
        (["work", "nowhere.py"], 78, "app file 'nowhere.py' does not exist"),
        (["work", APP], 78, "queue 'work-queue' does not exist"),
        (["work"], 2, "give either an app or --exec CMD"),
        (["work", "--exec", "no-such-command"], 78, "does not exist or is not executable"),
        (["status"], 3, "queue 'work-queue' does not exist"),
        (["publish", "nowhere.jsonl"], 2, "nowhere.jsonl cannot be read: No such file or directory"),
        (["publish", "bad.jsonl"], 2, "bad.jsonl, line 2: this is no JSON"),
        (["publish", "data.csv"], 2, "say the tasks' type with --type"),
        (["run", APP, "tasks.jsonl", "-o", "no/such/out.jsonl"], 2, "no/such/out.jsonl cannot be written"),
        (["results", "--format", "xml"], 2, "there is no format 'xml'"),
        (["status", "--queue", "a b"], 2, "queue name 'a b' is not allowed"),
        (["status", "--broker", "ftp://x"], 2, "the broker's address has the scheme 'ftp'"),
        (["work", APP, "--broker", "k8s:batch"], 2, "workers run in the cluster: `warrener k8s submit`"),
        (["status", "--broker", "amqp://127.0.0.1:1"], 3, "cannot be reached"),
        (["status", "--broker", "sqlite:bad.jsonl"], 3, "no SQLite database"),
        (["failures", "retry", "--data", "{}"], 2, "name its id"),
        (["failures", "list", "--reason", "timeout"], 2, "'timeout' is not one of 'permanent'"),
        (["failures", "discard", "--yes", "--reason", "timeout"], 2, "'timed-out'"),
        (["run", "tasks.jsonl", APP], 2, "the app comes first, as in `warrener run app.py tasks.jsonl`"),
        (["work", "--check", "nowhere.py", "--broker", "amqp://127.0.0.1:1"], 78, "'nowhere.py' does not"),
        (["status", "--broker", "amqp://127.0.0.1:1\n"], 2, "has a line break at its end; leave it out"),
        (["publish", "."], 2, ". cannot be read: it is a directory"),
    ],
)
def test_mistakes_give_one_sentence(place: Place, words: list[str], code: int, sentence: str) -> None:
    place.tasks([{"type": "echo"}])
    (place.path / "bad.jsonl").write_text('{"type": "echo"}\nnope\n' + "x" * 2000)
    (place.path / "data.csv").write_text("a\n1\n")

    done = place.warrener(*words)

    assert sentence in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_skipped_lines_are_counted(place: Place) -> None:
    (place.path / "bad.jsonl").write_text('{"type": "echo"}\nnope\n{"type": "echo"}\n')
    done = place.warrener("publish", "bad.jsonl", "--skip-invalid")
    assert done.returncode == 0
    assert "2 tasks published" in done.stderr
    assert "1 invalid line left out" in done.stderr


def test_stopped_publish_goes_on_from_its_line(place: Place) -> None:
    (place.path / "bad.jsonl").write_text('{"type": "echo"}\n{"type": "echo"}\nnope\n')
    done = place.warrener("publish", "bad.jsonl")
    assert "2 tasks are confirmed; go on with: warrener publish bad.jsonl" in done.stderr


def test_reference_is_up_to_date() -> None:
    kept = Path(__file__).parents[2] / "docs" / "cli.md"
    assert reference() == kept.read_text()


def test_every_command_has_an_example() -> None:
    sections = reference().split("\n## ")[1:]
    assert len(sections) > 12
    assert [section.split("\n")[0] for section in sections if "Example: warrener" not in section] == []


async def test_worker_that_fails_while_tasks_still_come_ends_the_run(place: Place) -> None:
    fifo = place.path / "tasks.jsonl"
    os.mkfifo(fifo)
    running = place.begin("run", APP, "tasks.jsonl", "--processes", "1", "--queue", "work-queue")
    with fifo.open("w") as pipe:  # stays open: more tasks may come
        pipe.write('{"type": "echo"}\n')
        pipe.flush()
        await place.has_completed(1)
        for path in place.address.path.parent.glob("*"):
            path.unlink()

        assert running.end() == 3, running.said

    assert "deleted" in running.said
    assert "Traceback" not in running.said


def test_ids_that_are_not_there_are_named(place: Place) -> None:
    place.warrener("run", APP, place.tasks([{"type": "permanent", "id": "a"}]))

    for verb in (["retry"], ["discard", "--yes"]):
        none = place.warrener("failures", *verb, "x", "y z", "--error", "PermanentError")
        assert none.returncode == 1
        assert (
            "no such failure of tasks 'x', 'y z'; see `warrener failures list --queue tasks`" in none.stderr
        )
    some = place.warrener("failures", "retry", "a", "x")

    assert some.returncode == 1
    assert "1 failure published as tasks again" in some.stderr
    assert "no such failure of task 'x'" in some.stderr


def test_deleted_working_directory_is_said(place: Place) -> None:
    command = 'mkdir gone; cd gone; rmdir ../gone; "$0" -m warrener status'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=place.path,
        capture_output=True,
        text=True,
        check=False,
        env=place.environment,
    )
    assert done.returncode == 2
    assert done.stderr == "warrener: the working directory was deleted; go to one that exists\n"


async def test_hint_to_go_on_has_all_that_was_given(place: Place) -> None:
    gate, log = place.path / "gate", place.path / "log"
    file = place.tasks([{"data": {"file": str(gate), "log": str(log)}}] * 3, "my tasks.jsonl")
    given = ["--format", "json", "--type", "wait_for", "--skip-invalid", "--processes", "1", "--threads", "2"]
    given += ["--concurrency", "3", "--management", "http://host/a&b", "--broker", "sqlite:my queue.db"]
    place.environment |= {"WARRENER_QUEUE": "q"}
    running = place.begin("run", APP, file, *given)
    await until_written(log, 1)
    running.process.send_signal(signal.SIGINT)
    await running.says("stopping")
    assert running.end(signal.SIGINT) == 130
    (hint,) = re.findall(r"go on with: warrener (run .*)", running.said)

    words = shlex.split(hint)
    gate.touch()

    assert words[:3] == ["run", APP, file]
    assert set(given) < set(words)
    done = place.warrener(*words)
    assert done.returncode == 0, done.stderr
    assert "3 tasks: 3 completed" in done.stderr


def test_version_and_completion(place: Place) -> None:
    assert place.warrener("--version").stdout == f"warrener {version('warrener')}\n"
    assert "_WARRENER_COMPLETE=bash_complete" in place.warrener("completion", "bash").stdout
    place.environment |= {
        "_WARRENER_COMPLETE": "bash_complete",
        "COMP_WORDS": "warrener fail",
        "COMP_CWORD": "1",
    }
    assert place.warrener().stdout == "plain,failures\n"
    place.environment |= {"COMP_WORDS": "warrener run --conc", "COMP_CWORD": "2"}
    assert place.warrener().stdout == "plain,--concurrency\n"


def test_help_loads_no_verb_and_nothing_that_takes_long(place: Place) -> None:
    code = "import sys\nfrom warrener.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], check=True, capture_output=True, text=True, cwd=place.path
    )
    assert "Commands:" in done.stdout
    loaded = set(done.stderr.split())
    assert not loaded & {
        "asyncio",
        "rich",
        "typer",
        "pydantic",
        "pika",
        "sqlite3",
        "pathlib",
        "warrener.cli.run",
    }


def test_worker_loads_nothing_before_its_first_task_that_only_others_need() -> None:
    code = "import sys, warrener.cli.work, warrener.worker.supervisor, warrener.brokers.rabbitmq\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rest = {
        "importlib.metadata",
        "http.client",
        "urllib.request",
        "rich",
        "sqlite3",
        "starlette",
        "lightkube",
    }
    assert not rest & set(done.stdout.split())


def test_handler_that_publishes_takes_no_other_broker_for_its_workers(place: Place) -> None:
    (place.path / "app.py").write_text(
        "import warrener\napp = warrener.App(retries=0)\n"
        "@app.task\ndef more() -> None:\n    warrener.publish([warrener.Task('next', 'more')])\n"
    )
    (place.path / "url").write_text("sqlite:own.db")
    place.environment |= {"WARRENER_BROKER": "file:url"}

    assert place.warrener("run", "app.py", place.tasks([{"type": "more", "id": "a"}])).returncode == 1

    shown = place.warrener("failures", "show", "a").stdout
    assert "UsageError: a worker withholds the address of its broker from handlers" in shown
    assert not place.address.path.exists()

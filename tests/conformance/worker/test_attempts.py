"""What counts as an attempt and what does not, held against how often handlers really began."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.batch import drain, eventually, failures, publish, results, task
from tests.place import has_ended
from warrener.brokers import connect
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from warrener.address import Address

APP: Final = ChildSettings(str(Path(__file__).with_name("counting_app.py")))
THREADS: Final = ChildSettings(APP.app, threads=4)
ASYNC: Final = ChildSettings(str(Path(__file__).with_name("counting_async_app.py")), concurrency=8)
KINDS: Final = pytest.mark.parametrize("settings", [APP, THREADS, ASYNC], ids=["alone", "threads", "async"])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where handlers write down their starts."""
    log = tmp_path / "log"
    log.mkdir()
    return log


async def test_stops_in_the_middle_cost_no_attempt(address: Address, log: Path) -> None:
    naps = [task("nap", f"t{n}", log=str(log), seconds=0.02) for n in range(200)]
    await publish(address, naps)
    for stop in (1, 2):

        async def has_begun(count: int = stop * 40) -> bool:
            return len(_starts(log)) >= count

        async with connect(address) as broker:
            supervisor = Supervisor(broker, APP, processes=2, grace=0)
            await supervisor.start()
            running = asyncio.create_task(supervisor.run())
            await eventually(has_begun)
            supervisor.stop()
            supervisor.stop()
            assert await running is Exit.STOPPED

    await drain(address, settings=APP, processes=2)

    assert await _histories(address) == {f"t{n}": [] for n in range(200)}
    # At each of two stops each of two children ran one, and may have just ended another, which nobody had heard of yet.
    assert sum(_starts(log).values()) <= 200 + 2 * 2 * 2


async def test_each_error_is_one_attempt(address: Address, log: Path) -> None:
    await publish(address, [task("fail", f"t{n}", log=str(log), times=n % 4) for n in range(60)])

    await drain(address, settings=APP, processes=2)

    assert await _histories(address) == {
        f"t{n}": [("ValueError", f"start {number}") for number in range(1, n % 4 + 1)] for n in range(60)
    }
    assert _starts(log) == {f"t{n}": n % 4 + 1 for n in range(60)}


@KINDS
async def test_crash_is_charged_to_the_task_that_crashed(
    address: Address, log: Path, settings: ChildSettings
) -> None:
    crashing = [task("crash", f"c{n}", log=str(log), times=n) for n in (1, 2)]
    naps = [task("nap", f"t{n}", log=str(log), seconds=0.005) for n in range(60)]
    await publish(address, [*naps[:20], crashing[0], *naps[20:40], crashing[1], *naps[40:]])

    await drain(address, settings=settings)

    crashed = ("Crashed", "its process ended with exit code 7")
    found = await _histories(address)
    assert {name: past for name, past in found.items() if name.startswith("t")} == {
        f"t{n}": [] for n in range(60)
    }
    if settings is APP:  # what waited behind it had not begun
        assert (found["c1"], found["c2"]) == ([crashed], [crashed] * 2)
        assert _starts(log) == {f"t{n}": 1 for n in range(60)} | {"c1": 2, "c2": 3}
    else:  # one that crashed among others is not known to be the one, and runs again alone
        for n in (1, 2):
            assert found[f"c{n}"] == [crashed] * len(found[f"c{n}"])
            assert len(found[f"c{n}"]) <= n
            assert _starts(log)[f"c{n}"] == n + 1


@KINDS
async def test_time_limit_is_charged_to_the_task_that_passed_it(
    address: Address, log: Path, settings: ChildSettings
) -> None:
    if settings is ASYNC:
        hanging = [task("hang", f"h{n}", log=str(log), times=1) for n in range(2)]
    else:
        hanging = [task("hang", "h0", log=str(log), times=1)]
    await publish(address, [*hanging, *(task("nap", f"t{n}", log=str(log)) for n in range(60))])

    await drain(address, settings=settings)

    late = ("TimedOut", "killed at its time limit of 2 s")
    assert await _histories(address) == {f"t{n}": [] for n in range(60)} | {
        message.id: [late] for message in hanging
    }
    starts = _starts(log)
    assert {message.id: starts[message.id] for message in hanging} == {message.id: 2 for message in hanging}


async def test_killing_the_process_children_come_from_costs_no_attempt(address: Address, log: Path) -> None:
    gate = log.parent / "gate"
    waiting = [task("wait_for", f"t{n}", log=str(log), gate=str(gate)) for n in range(6)]
    await publish(address, waiting)
    async with connect(address) as broker:
        supervisor = Supervisor(broker, APP, processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())

        async def have_begun() -> bool:
            return log.exists() and [bool(file.read_text()) for file in log.iterdir()] == [True, True]

        await eventually(have_begun)
        fork_server = supervisor._pool._fork_server._process
        assert fork_server
        began = [int(file.read_text()) for file in log.iterdir()]
        os.kill(fork_server.pid, signal.SIGKILL)
        for pid in began:
            await has_ended(pid)
        gate.touch()
        assert await running is Exit.DRAINED

    assert await _histories(address) == {f"t{n}": [] for n in range(6)}
    assert sorted(_starts(log).values()) == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("limit", [{"max_tasks": 3}, {"max_memory": 1}], ids=["tasks", "memory"])
async def test_replacing_children_costs_no_attempt(
    address: Address, log: Path, limit: dict[str, Any]
) -> None:
    await publish(address, [task("grow", f"t{n}", log=str(log)) for n in range(30)])

    await drain(address, settings=APP, processes=2, **limit)

    assert await _histories(address) == {f"t{n}": [] for n in range(30)}
    assert _starts(log) == {f"t{n}": 1 for n in range(30)}
    assert len({line for file in log.iterdir() for line in file.read_text().splitlines()}) >= 10  # processes


async def _histories(address: Address) -> dict[str, list[tuple[str, str]]]:
    """What each task's history has, all being completed: each attempt has its number and its entry."""
    rows = await results(address)
    assert await failures(address) == {}
    assert len(rows) == len({row["task_id"] for row in rows})
    for row in rows:
        past = row.get("history", [])
        assert [attempt["number"] for attempt in past] == list(range(1, row["attempts"]))
    return {
        row["task_id"]: [(attempt["error"], attempt["message"]) for attempt in row.get("history", [])]
        for row in rows
    }


def _starts(log: Path) -> dict[str, int]:
    return {file.name: len(file.read_text().splitlines()) for file in log.iterdir()}


_WAITS: Final = "__import__('threading').Event().wait()"
_WAITS_ASYNC: Final = "await __import__('asyncio').Event().wait()"


@pytest.mark.parametrize(("kind", "waits"), [("def", _WAITS), ("async def", _WAITS_ASYNC)])
async def test_app_that_is_another_one_when_it_is_imported_again_has_its_own_rules(
    address: Address, tmp_path: Path, kind: str, waits: str
) -> None:
    # Given a task that runs
    begun, app = tmp_path / "begun", tmp_path / "changing.py"
    head = "from warrener import App\napp = App(base=0.05)\n@app.task"
    app.write_text(f"{head}\n{kind} gone():\n    open({str(begun)!r}, 'w').close()\n    {waits}\n")
    await publish(address, [task("gone", "former")])
    async with connect(address) as broker:
        supervisor = Supervisor(broker, ChildSettings(str(app)), processes=1)
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())

        async def has_begun() -> bool:
            return begun.exists()

        await eventually(has_begun)
        # When the app has no such handler any more, but another one, and is imported again
        app.write_text(f"{head}(retries=1)\n{kind} new():\n    raise ValueError\n")
        fork_server = supervisor._pool._fork_server._process
        assert fork_server
        os.kill(fork_server.pid, signal.SIGKILL)

        async def is_another_one() -> bool:
            return "new" in supervisor._pool.manifest.handlers

        await eventually(is_another_one)
        await publish(address, [task("new", "latter")])

        # Then each task ends
        async def have_ended() -> bool:
            return working.done() or supervisor.settled["failed"] == 2

        await eventually(have_ended)
        supervisor.stop()
        assert await working is Exit.STOPPED
    found = await failures(address)
    assert {id_: (failure.reason, failure.attempts) for id_, failure in found.items()} == {
        "former": ("unknown-type", 0),
        "latter": ("exhausted", 2),
    }


async def test_child_that_imports_a_newer_app_does_not_die_of_a_task_of_the_former_one(
    address: Address, tmp_path: Path
) -> None:
    # Given a child that has imported the app by itself, and whose task runs
    begun, app = tmp_path / "begun", tmp_path / "changing.py"
    head = "import os\nfrom warrener import App\napp = App(base=0.05)\n@app.task\n"
    gone = f"    open({str(begun)!r}, 'w').write(str(os.getpid()))\n    {_WAITS}\n"
    app.write_text(f"{head}def gone():\n{gone}")
    await publish(address, [task("gone", "former"), task("gone", "later")])
    async with connect(address) as broker:
        supervisor = Supervisor(broker, ChildSettings(str(app), spawn=True), processes=1)
        await supervisor.start()
        working = asyncio.create_task(supervisor.run())

        async def has_begun() -> bool:
            return begun.exists() and bool(begun.read_text())

        await eventually(has_begun)
        # When it is killed, and the next one finds a newer app on disk
        app.write_text(f"{head}def new():\n    raise ValueError\n")
        os.kill(int(begun.read_text()), signal.SIGKILL)

        # Then the tasks are of an unknown type, with the attempts that they had
        async def have_ended() -> bool:
            return working.done() or supervisor.settled["failed"] == 2

        await eventually(have_ended)
        supervisor.stop()
        assert await working is Exit.STOPPED
    found = await failures(address)
    assert {id_: (failure.reason, failure.attempts) for id_, failure in found.items()} == {
        "former": ("unknown-type", 1),
        "later": ("unknown-type", 0),
    }

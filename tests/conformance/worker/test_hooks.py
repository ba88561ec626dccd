"""What an app has done around its handlers is done in every child, and costs no task anything."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from tests.batch import drain, eventually, failures, publish, results, task
from tests.place import has_ended
from warrener.brokers import connect
from warrener.errors import AppError, NotReady
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from warrener.address import Address

APP: Final = ChildSettings(str(Path(__file__).with_name("hooks_app.py")))
THREADS: Final = ChildSettings(APP.app, threads=3)
ASYNC: Final = ChildSettings(str(Path(__file__).with_name("hooks_async_app.py")), concurrency=4)
SHARING: Final = ChildSettings(str(Path(__file__).with_name("sharing_app.py")))
SPAWNED: Final = ChildSettings(APP.app, spawn=True)
TASKS: Final = 24


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each child writes down what happens in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOOKS_HOME", str(home))
    return home


def _logs(home: Path) -> list[list[str]]:
    return [log.read_text().splitlines() for log in home.glob("*.log")]


async def test_lifespan_is_entered_once_in_each_child_and_left_before_it_ends(
    address: Address, home: Path
) -> None:
    await _enter_and_leave(address, home, APP)


@pytest.mark.parametrize("settings", [THREADS, ASYNC, SPAWNED], ids=["threads", "async", "spawned"])
async def test_lifespan_is_so_in_children_of_each_kind(
    memory_address: Address, home: Path, settings: ChildSettings
) -> None:
    await _enter_and_leave(memory_address, home, settings)


async def _enter_and_leave(address: Address, home: Path, settings: ChildSettings) -> None:
    kind = "use_async" if settings is ASYNC else "use"
    await publish(address, [task(kind, f"t{n}", number=n) for n in range(TASKS)])

    assert await drain(address, settings=settings, processes=2, max_tasks=8) is Exit.DRAINED

    rows = await results(address)
    assert {row["task_id"]: row["value"] for row in rows} == {f"t{n}": [n, True, True] for n in range(TASKS)}
    logs = _logs(home)
    left = ["loop left"] * (settings is ASYNC) + ["client left", "pool left"]
    assert len(logs) >= 3
    for log in logs:
        ran = log.count("task")
        assert ran <= 8
        assert log == ["pool entered", *["task"] * ran, *left]


async def test_lifespan_that_can_never_be_entered_ends_the_worker_and_costs_no_attempt(
    address: Address, home: Path
) -> None:
    await publish(address, [task("use", f"t{n}", number=n) for n in range(TASKS)])
    (home / "broken").touch()

    with pytest.raises(
        AppError, match=r"lifespan 'pool' fails \(hooks_app.py, line \d+\): ValueError: no such pool"
    ):
        await drain(address, settings=APP, processes=2)

    assert [log for log in _logs(home) if log != ["pool entered"]] == []
    assert (
        1 <= len(_logs(home)) <= 2
    )  # and none is tried again; the first ends the worker, before another if need be
    (home / "broken").unlink()
    await drain(address, settings=APP)
    assert {row["attempts"] for row in await results(address)} == {1}
    assert await failures(address) == {}


async def test_lifespan_is_tried_again_where_what_it_needs_is_away(
    address: Address, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOOKS_AWAY", "3")
    monkeypatch.setattr("warrener.worker.pool.readiness._FIRST_DELAY", 0.05)
    await publish(address, [task("use", f"t{n}", number=n) for n in range(TASKS)])

    assert await drain(address, settings=APP, processes=2) is Exit.DRAINED

    rows = await results(address)
    assert len(rows) == TASKS
    assert {row["attempts"] for row in rows} == {1}
    said = [record.getMessage() for record in caplog.records if "is away" in record.getMessage()]
    assert len(said) == 1
    assert said[0].endswith("ConnectionRefusedError: the pool is away; trying again")


async def test_lifespan_that_waits_for_ever_is_told_and_ends_with_its_worker(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("warrener.worker.pool.roster._SLOW_START", 0.1)
    monkeypatch.setattr("warrener.worker.pool.pool._START_ENDS_WITHIN", 0.2)
    (tmp_path / "waits.py").write_text(
        "import time\nfrom warrener import App\n\napp = App()\n\n\n@app.lifespan\ndef pool():\n    time.sleep(3600)\n    yield\n\n\n"
        "@app.task\ndef use() -> None: ...\n"
    )
    await publish(address, [task("use", "t")])
    async with connect(address) as broker:
        supervisor = Supervisor(
            broker, ChildSettings(str(tmp_path / "waits.py")), processes=1, drain=True, grace=3600
        )
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())

        async def is_told() -> bool:
            return "each is in the app's lifespans still" in caplog.text

        await eventually(is_told)
        supervisor.stop()
        assert await running is Exit.STOPPED
        counts = await broker.counts()
    assert (counts.ready, counts.failed) == (1, 0)


async def test_worker_none_of_whose_children_gets_ready_gives_up_and_costs_no_attempt(
    address: Address, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.worker.pool.readiness._FIRST_DELAY", 0.05)
    monkeypatch.setattr("warrener.worker.pool.readiness._PATIENCE", 0.1)
    await publish(address, [task("use", f"t{n}", number=n) for n in range(TASKS)])
    (home / "deadly").touch()

    died = (
        "a child dies before its first task: its process ended with exit code 3; no child could begin to work"
    )
    with pytest.raises(NotReady, match=died):
        await drain(address, settings=APP)

    (home / "deadly").unlink()
    await drain(address, settings=APP)
    assert {row["attempts"] for row in await results(address)} == {1}
    assert len(await results(address)) == TASKS


async def test_large_child_works_until_another_one_can_take_its_place(
    address: Address, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKS_LATER", str(TASKS // 2))  # no other one can before so many tasks have been run
    await publish(address, [task("use", f"t{n}", number=n) for n in range(TASKS)])

    assert await drain(address, settings=APP, max_memory=1) is Exit.DRAINED

    assert len(await results(address)) == TASKS
    ran = sorted(log.count("task") for log in _logs(home))
    assert ran[-1] >= TASKS // 2
    assert all(log[-1] == "pool left" for log in _logs(home) if "task" in log)


async def test_middleware_sees_each_outcome_and_loses_none(address: Address, home: Path) -> None:
    await _surround(address, home, "alone")


@pytest.mark.parametrize("kind", ["async", "beside"])
async def test_middleware_does_so_around_handlers_of_each_kind(
    memory_address: Address, home: Path, kind: str
) -> None:
    await _surround(memory_address, home, kind)


async def _surround(address: Address, home: Path, kind: str) -> None:
    settings = APP if kind == "alone" else ASYNC
    type_ = "see_async" if kind == "async" else "see"
    says = ["well", "swallowed", "another", "after", "twice", "before", "not at all"]
    await publish(address, [task(type_, what.replace(" ", "-"), says=what) for what in says])

    await drain(address, settings=settings)

    assert {row["task_id"]: row["value"] for row in await results(address)} == {
        what: what for what in ("well", "after", "twice")
    }
    failed = await failures(address)
    assert {id_: (each.reason, each.error, each.attempts) for id_, each in failed.items()} == {
        "swallowed": ("exhausted", "ValueError", 2),
        "another": ("permanent", "PermanentError", 1),
        "before": ("permanent", "PermanentError", 1),
        "not-at-all": ("exhausted", "MiddlewareEnded", 2),
    }
    traces = {id_: each.history[-1].traceback for id_, each in failed.items()}
    assert "middleware 'inner' swallowed this error, which stands" in traces["swallowed"]
    assert "raised by middleware 'inner' in place of ValueError" in traces["another"]
    assert "ValueError: another" in traces["another"]
    assert "raised by middleware 'inner' before the handler ran" in traces["before"]
    assert (
        failed["not-at-all"].message
        == "middleware 'outer' ended before its `yield`, so the handler did not run"
    )
    assert all("worker/child" not in trace for id_, trace in traces.items() if id_ != "not-at-all")
    seen = (home / "seen").read_text().splitlines()
    assert [line for line in seen if line.startswith("handler")].count("handler swallowed") == 2
    assert not {"handler before", "handler not at all"} & set(seen)
    order = ["innermost well well"] * (settings is ASYNC) + ["inner well well", "outer well 1 well True"]
    assert [line for line in seen if line.split()[1] == "well"] == ["handler well", *order]
    assert {line for line in seen if line.startswith("outer") and "well" not in line} == {
        *(f"outer {what} 1 {what} True" for what in ("after", "twice")),
        "outer swallowed 1 ValueError True",
        "outer swallowed 2 ValueError True",
        "outer another 1 PermanentError True",
        "outer before 1 PermanentError True",
    }


async def test_handler_that_leaves_when_its_worker_stops_had_no_attempt(address: Address, home: Path) -> None:
    await _leave(address, home, "leave", APP)


async def test_async_handler_that_leaves_had_none_either(memory_address: Address, home: Path) -> None:
    await _leave(memory_address, home, "leave_async", ASYNC)


async def _leave(address: Address, home: Path, kind: str, settings: ChildSettings) -> None:
    await publish(address, [task(kind, "t")])
    async with connect(address) as broker:
        supervisor = Supervisor(broker, settings, processes=1, grace=3600)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())

        async def has_begun() -> bool:
            return any("leave" in log for log in _logs(home))

        await eventually(has_begun)
        supervisor.stop()
        assert await running is Exit.STOPPED
    assert [log[-1] for log in _logs(home)] == ["pool left"]  # lifespans are left within the grace, too

    await publish(address, [task("claim_stop", "no-stop")])
    await drain(address, settings=settings)

    assert [(row["value"], row["attempts"]) for row in await results(address)] == [(1, 1)]
    failed = (await failures(address))["no-stop"]
    assert (failed.error, failed.attempts) == ("Stopped", 1)


async def test_soft_time_limit_is_heard_before_the_other(address: Address, home: Path) -> None:
    await _be_late(address, APP)


@pytest.mark.parametrize("settings", [THREADS, ASYNC], ids=["threads", "async"])
async def test_soft_time_limit_is_heard_in_children_of_each_kind(
    memory_address: Address, home: Path, settings: ChildSettings
) -> None:
    await _be_late(memory_address, settings)


async def _be_late(address: Address, settings: ChildSettings) -> None:
    kind = "be_late_async" if settings is ASYNC else "be_late"
    asks = {} if settings is ASYNC else {"asks": settings is THREADS}  # no signal reaches a thread
    await publish(
        address, [task(kind, "done", makes_do=True, **asks), task(kind, "late", makes_do=False, **asks)]
    )

    await drain(address, settings=settings)

    assert [(row["task_id"], row["value"]) for row in await results(address)] == [("done", "what there is")]
    failed = (await failures(address))["late"]
    assert (failed.reason, failed.error) == ("exhausted", "SoftTimeout")
    said = "by itself" if settings is THREADS else "its soft time limit of 1 s has passed"
    assert failed.message == said


async def test_what_children_cannot_share_is_named_once(
    address: Address, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(address, [task("echo", "t", number=1)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("SHARING_PORT", str(port))
        await drain(address, settings=SHARING, processes=2)

    when, make = "while it was imported: its children", "make it in an @app.lifespan"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{SHARING.app} opened a socket to 127.0.0.1:{port} {when} share it, and their answers mix; {make}",
        f"{SHARING.app} started the thread 'fetch_0' {when} do not have it, and wait for it for ever; {make}",
    ]


async def test_spawned_children_end_as_others_do(memory_address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    gate.touch()
    waiting = task("wait_for", "waited", file=str(gate), log=str(log))
    await publish(memory_address, [task("hang", "hang"), task("kill", "kill"), waiting])

    app = str(Path(__file__).with_name("apps.py"))
    await drain(memory_address, settings=ChildSettings(app, concurrency=1, spawn=True))

    assert {row["task_id"] for row in await results(memory_address)} == {"waited"}
    assert {id_: each.error for id_, each in (await failures(memory_address)).items()} == {
        "hang": "TimedOut",
        "kill": "Crashed",
    }
    for pid in set(log.read_text().split()):
        await has_ended(int(pid))


async def test_spawned_children_have_each_their_own(
    address: Address, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(address, [task("echo", f"t{n}", number=n) for n in range(4)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("SHARING_PORT", str(server.getsockname()[1]))
        await drain(address, settings=msgspec.structs.replace(SHARING, spawn=True), processes=2)
        server.settimeout(0)
        clients = []
        with suppress(BlockingIOError):
            while True:
                clients.append(server.accept()[0])
        for client in clients:
            client.close()

    assert len(clients) == 3  # of the process that says what is in the app, and of each child
    assert [record.getMessage() for record in caplog.records if "import" in record.getMessage()] == []

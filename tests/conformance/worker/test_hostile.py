"""A hostile task costs its own attempts, never another task's outcome, and never the worker."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.batch import drain, eventually, failures, publish, results, task
from tests.place import Place, has_ended
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from warrener.address import Address

APP: Final = str(Path(__file__).with_name("hostile_app.py"))
ASYNC_APP: Final = str(Path(__file__).with_name("hostile_async_app.py"))
MIB: Final = 1024 * 1024
COMPLETED: Final = ("completed", "", 1)

CRASHED: Final = ("crashed", "Crashed", 1)
TIMED_OUT: Final = ("timed-out", "TimedOut", 1)
REFUSED: Final = ("permanent", "CommandRefused", 1)
NO_JSON: Final = ("permanent", "ResultUnwritable", 1)

Outcome = tuple[str, str, int]
Cases = list[tuple[str, dict[str, Any], Outcome]]

DEADLY: Final[Cases] = [
    ("signal_self", {"number": signal.SIGKILL}, CRASHED),
    ("signal_self", {"number": signal.SIGTERM}, CRASHED),
    ("signal_self", {"number": 40}, CRASHED),  # one without a name
    ("segfault", {}, CRASHED),
    ("exit_at_once", {"code": 0}, CRASHED),
    ("exit_at_once", {"code": 1}, CRASHED),
    ("close_everything", {}, CRASHED),
    ("write_everywhere", {}, CRASHED),
    ("write_a_little", {}, CRASHED),
]
ENDLESS: Final[Cases] = [
    ("ignore_signals", {}, TIMED_OUT),
    ("leave_the_group", {}, TIMED_OUT),
    ("hold_the_interpreter", {}, TIMED_OUT),
    ("backtrack", {}, TIMED_OUT),
]
RUDE: Final[Cases] = [
    ("odd", {"kind": "object"}, NO_JSON),
    ("odd", {"kind": "itself"}, NO_JSON),
    ("odd", {"kind": "surrogate"}, NO_JSON),
    ("odd", {"kind": "raw"}, NO_JSON),
    ("raise_hostile", {}, ("exhausted", "Hostile", 1)),
    *(
        ("raise_error", {"kind": kind}, ("exhausted", kind, 1))
        for kind in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration")
    ),
    ("raise_message", {"kind": "long"}, ("exhausted", "ValueError", 1)),
    ("raise_message", {"kind": "surrogate"}, ("exhausted", "ValueError", 1)),
    *(
        ("raise_after", {"kind": kind}, ("exhausted", "TransientError", 2))
        for kind in ("text", "nan", "huge", "negative")
    ),
    ("recurse", {}, ("exhausted", "RecursionError", 1)),
    ("devour", {}, ("exhausted", "MemoryError", 1)),
    ("return_twice", {}, COMPLETED),
    ("fail_in_a_copy", {}, COMPLETED),
    ("flood", {}, COMPLETED),
    ("large", {"mebibytes": 15}, COMPLETED),
    ("change_the_world", {}, COMPLETED),
]
ASYNC: Final[Cases] = [
    ("block_the_loop", {}, TIMED_OUT),
    ("hold_the_interpreter", {}, TIMED_OUT),
    ("swallow_cancellation", {}, TIMED_OUT),
    ("leave_tasks", {}, COMPLETED),
    ("leave_an_exit", {}, COMPLETED),
    ("stop_the_loop", {}, COMPLETED),
    ("call_exit", {}, ("exhausted", "SystemExit", 1)),
    ("close_everything", {}, CRASHED),
    ("replace_the_policy", {}, COMPLETED),
    ("raise_stop", {}, ("exhausted", "StopIteration", 1)),
    ("exit_at_once", {}, CRASHED),
]


@pytest.fixture
def address(shared_address: Address) -> Address:
    """One that a hostile task could reach: it may break files and connections, and a broker in memory has none."""
    return shared_address


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.sqlite),
        pytest.param("rabbitmq", marks=[pytest.mark.rabbitmq, pytest.mark.long]),
    ]
)
def any_address(request: pytest.FixtureRequest) -> Address:
    """A queue of the test's own, for what happens within a worker, whichever broker it has."""
    found: Address = request.getfixturevalue(
        "sqlite_address" if request.param == "sqlite" else "rabbit_address"
    )
    return found


@pytest.mark.parametrize("cases", [DEADLY, ENDLESS, RUDE], ids=["deadly", "endless", "rude"])
async def test_hostile_task_costs_only_its_own_attempts(address: Address, cases: Cases) -> None:
    await _stand_by(address, cases, ChildSettings(APP), bystander="quick", processes=2)


@pytest.mark.parametrize("cases", [DEADLY, ENDLESS, RUDE], ids=["deadly", "endless", "rude"])
async def test_threads_beside_a_hostile_task_are_not_charged(any_address: Address, cases: Cases) -> None:
    await _stand_by(any_address, cases, ChildSettings(APP, threads=8))


@pytest.mark.parametrize("case", ASYNC, ids=[case[0] for case in ASYNC])
async def test_coroutines_beside_a_hostile_task_are_not_charged(
    any_address: Address, case: tuple[str, dict[str, Any], Outcome]
) -> None:
    await _stand_by(any_address, [case], ChildSettings(ASYNC_APP, concurrency=8))


@pytest.mark.parametrize("settings", [ChildSettings(APP), ChildSettings(ASYNC_APP)], ids=["alone", "async"])
async def test_task_that_kills_the_process_children_come_from_is_found_out(
    address: Address, settings: ChildSettings
) -> None:
    await _stand_by(address, [("kill_fork_server", {}, CRASHED)], settings, processes=2)


async def test_result_over_the_brokers_limit_is_a_failure(address: Address) -> None:
    too_large = ("permanent", "ResultTooLarge", 1)
    outcome = COMPLETED if address.is_embedded else too_large
    cases: Cases = [("large", {"mebibytes": 40}, outcome), ("large", {"mebibytes": 513}, too_large)]
    await _stand_by(address, cases, ChildSettings(APP))


async def test_child_that_cannot_end_by_itself_is_replaced_all_the_same(address: Address) -> None:
    cases: Cases = [("refuse_to_exit", {}, COMPLETED)]
    await _stand_by(address, cases, ChildSettings(APP), bystander="quick", max_tasks=1)


async def test_task_that_kills_its_worker_ends_after_five_more_tries(
    shared_address: Address, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    bystanders = [task("slow", f"t{n}") for n in range(40)]
    await publish(
        shared_address, [*bystanders[:20], task("kill_supervisor", "bad", log=str(log)), *bystanders[20:]]
    )
    codes: list[int] = []
    with Place(tmp_path, shared_address) as place:
        while not codes or codes[-1] != Exit.DRAINED:
            worker = place.begin("work", APP, "--drain", "--threads", "8", "--processes", "2")
            codes.append(worker.end())
            if shared_address.is_embedded:
                with sqlite3.connect(shared_address.path) as file:
                    file.execute("UPDATE workers SET lease = 0")  # instead of waiting for its end
                file.close()

    assert codes == [-signal.SIGKILL] * 6 + [Exit.DRAINED]
    found = (await failures(shared_address))["bad"]
    assert (found.reason, found.attempts) == ("crashed", 6)
    assert [attempt.error for attempt in found.history] == ["WorkerLost"] * 6
    assert len(log.read_text().splitlines()) == 6
    rows = await results(shared_address)
    # One that had just ended when its worker died may have run again: it has one row once collected.
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(40)}
    # What was held when the worker died for the first time looks the same to the broker. Later ones died alone.
    assert max(row["attempts"] for row in rows) <= 2


async def test_time_limit_reaches_what_was_started_in_another_session(
    address: Address, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    await publish(address, [task("start_in_a_session_of_its_own", "t", log=str(log))])

    await drain(address, settings=ChildSettings(APP))

    assert (await failures(address))["t"].reason == "timed-out"
    await has_ended(int(log.read_text()))


async def test_daemon_that_holds_its_socket_does_not_hide_a_childs_end(
    address: Address, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    try:
        await _stand_by(address, [("daemonise", {"log": str(log)}, CRASHED)], ChildSettings(APP))
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(log.read_text()), signal.SIGKILL)


async def test_worker_stops_although_nobody_reads_what_its_tasks_print(
    shared_address: Address, tmp_path: Path
) -> None:
    await publish(shared_address, [task("flood", "t"), task("slow", "other")])
    read, write = os.pipe()
    with Place(tmp_path, shared_address) as place:
        worker = place.begin("work", APP, "--processes", "2", "--grace", "0.1", stderr=write)
        os.close(write)
        os.set_blocking(read, True)

        async def is_done() -> bool:
            return [row["task_id"] for row in await results(shared_address)] == ["other"]

        await eventually(is_done)
        assert worker.end(signal.SIGTERM) == Exit.STOPPED
    os.close(read)


async def test_command_may_do_its_worst(address: Address, tmp_path: Path) -> None:
    """Each type of task is a script of that name."""
    scripts: dict[str, tuple[str, Outcome]] = {
        "deaf": ("exec <&-; echo 1", COMPLETED),
        "chatty": (f"head -c {600 * MIB} /dev/zero", REFUSED),
        "loud": (f"head -c {16 * MIB} /dev/zero >&2; echo 1", COMPLETED),
        "latin": (r"printf '\"\377\"'", REFUSED),
        "prose": ("echo it went well", REFUSED),
        "endless": ("trap '' TERM INT; sleep 3600", TIMED_OUT),
        "parent": (f"sleep 3600 & echo $! > {tmp_path}/left; echo 1", COMPLETED),
        "killed": ("kill -s 40 $$", ("exhausted", "CommandFailed", 1)),
    }
    for name, (script, _) in scripts.items():
        (tmp_path / name).write_text(f"{script}\n")
    # A command is not told its task's type but by the task, which `deaf` does not read: each has a worker of its own.
    for name, (_, outcome) in scripts.items():
        await publish(address, [task(name, name, text="x" * MIB)])
        settings = ChildSettings(command=f"sh {tmp_path / name}", timeout=20, retries=0)
        if outcome is TIMED_OUT:
            settings = ChildSettings(command=f"sh {tmp_path / name}", timeout=0.5, retries=0)
        await drain(address, settings=settings)
        assert (await _outcomes(address))[name] == outcome, name
    await has_ended(int((tmp_path / "left").read_text()))


async def test_many_tasks_that_fail_at_once_hold_their_order_and_lose_nothing(address: Address) -> None:
    await publish(address, [task("fail", f"t{n}", n % 10) for n in range(2000)])

    await drain(address)

    found = await failures(address)
    # The urgent ones end long before the others. Neighbours may change places, where the machine pauses during a delay.
    places = [(int(name[1:]) % 10, place) for place, name in enumerate(found)]
    urgent = mean(place for priority, place in places if priority > 6)
    others = mean(place for priority, place in places if priority < 3)
    assert others - urgent > 500
    assert set(found) == {f"t{n}" for n in range(2000)}
    assert {(failed.reason, failed.attempts) for failed in found.values()} == {("exhausted", 4)}
    assert await results(address) == []


async def _stand_by(
    address: Address,
    cases: Cases,
    settings: ChildSettings,
    *,
    bystander: str = "slow",
    **more: Any,
) -> None:
    """Run hostile tasks among others: each ends as it should, and the others are completed in one attempt."""
    messages, expected = [], {}
    for number, (kind, data, outcome) in enumerate(cases):
        name = f"{kind}-{number}"
        expected[name] = outcome
        messages += [task(bystander, f"before-{number}-{n}") for n in range(5)]
        messages += [task(kind, name, **data)]
        messages += [task(bystander, f"after-{number}-{n}") for n in range(5)]
    expected |= {message.id: COMPLETED for message in messages if message.id not in expected}
    await publish(address, messages)

    assert await drain(address, settings=settings, **{"processes": 1, **more}) is Exit.DRAINED

    assert await _outcomes(address) == expected


async def _outcomes(address: Address) -> dict[str, Outcome]:
    rows = await results(address)
    assert len(rows) == len({row["task_id"] for row in rows})
    failed = await failures(address)
    assert all(len(found.history) == found.attempts for found in failed.values())
    return {row["task_id"]: ("completed", "", row["attempts"]) for row in rows} | {
        name: (found.reason, found.error, found.attempts) for name, found in failed.items()
    }

"""`warrener.testing` as users have it in their own tests."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from warrener import App, PermanentError, Task, TransientError, testing
from warrener.errors import AppError, InvalidTask

if TYPE_CHECKING:
    from collections.abc import Callable

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


app = App()
calls: dict[str, int] = {}


@pytest.fixture(autouse=True)
def uncalled() -> None:
    calls.clear()


@app.task
def echo(number: int = 0) -> dict[str, Any]:
    return {"number": number, "tuple": (1, 2), "caller": caller.get()}


@app.task
async def echo_async(number: int = 0) -> int:
    await asyncio.sleep(0)
    return number


@app.task(retries=3, base=600.0)
def fail_until(task: Task, times: int) -> int:
    calls[task.id] = calls.get(task.id, 0) + 1
    if calls[task.id] <= times:
        raise ValueError(f"call {calls[task.id]}")
    return calls[task.id]


@app.task
def permanent() -> None:
    raise PermanentError("never")


@app.task
async def after(task: Task) -> str:
    calls[task.id] = calls.get(task.id, 0) + 1
    if calls[task.id] == 1:
        raise TransientError("later", after=45.0)
    return "done"


@app.task
def odd() -> object:
    return object()


@app.task
def stop() -> None:
    raise KeyboardInterrupt


@app.task(retries=0)
def leave() -> None:
    raise SystemExit(3)


@app.task(retries=0)
def nested() -> int:
    return asyncio.run(_seven())


async def _seven() -> int:
    return 7


def test_completed_task_has_its_value_as_json_carries_it() -> None:
    with testing.run(
        app, [Task("a", "echo", {"number": 1}), Task("b", "echo_async", {"number": 2})]
    ) as batch:
        pass
    assert batch.failures == {}
    assert batch.results["a"] == testing.Result(
        "a", "echo", {"number": 1, "tuple": [1, 2], "caller": "nobody"}, 1
    )
    assert batch.results["b"].value == 2
    assert batch.attempts == [
        testing.Attempt("a", "echo", 1, "completed"),
        testing.Attempt("b", "echo_async", 1, "completed"),
    ]


def test_delays_are_those_of_the_policy_and_nobody_waits_for_them() -> None:
    before = time.monotonic()
    with testing.run(app, [Task("t", "fail_until", {"times": 3})]) as batch:
        assert batch.results["t"].value == batch.results["t"].attempts == 4
    assert time.monotonic() - before < 600
    assert [(attempt.number, attempt.delay, attempt.message) for attempt in batch.attempts] == [
        (1, 600.0, "call 1"),
        (2, 1200.0, "call 2"),
        (3, 2400.0, "call 3"),
        (4, None, ""),
    ]


def test_delay_that_a_handler_asks_for_is_the_nearest_that_queues_have() -> None:
    with testing.run(app, [Task("t", "after")]) as batch:
        assert [(attempt.outcome, attempt.delay) for attempt in batch.attempts] == [
            ("delayed", 60.0),
            ("completed", None),
        ]


def test_failure_tells_reason_error_and_place() -> None:
    with testing.run(app, [Task("x", "fail_until", {"times": 9}), Task("p", "permanent")]) as batch:
        assert batch.results == {}
    # The one that is tried again fails later.
    assert list(batch.failures) == ["p", "x"]
    exhausted, permanent = batch.failures["x"], batch.failures["p"]
    assert (exhausted.reason, exhausted.error, exhausted.message, exhausted.attempts) == (
        "exhausted",
        "ValueError",
        "call 4",
        4,
    )
    assert "raise ValueError" in exhausted.traceback
    assert (permanent.reason, permanent.error, permanent.attempts) == ("permanent", "PermanentError", 1)


@pytest.mark.parametrize(
    ("task", "name", "reason", "said"),
    [
        (Task("t", "nobody"), "t", "unknown-type", "no handler for type 'nobody'; this app has after, echo,"),
        (Task("t", "echo", {"number": "many"}), "t", "invalid", "data does not fit handler 'echo'"),
        (Task("t", "echo_async", {"other": 1}), "t", "invalid", "data does not fit handler 'echo_async'"),
        (b"no JSON", "message-1", "invalid", ""),
        (b'{"id": "t", "type": "echo", "data": [1]}', "t", "invalid", '"data" must be an object'),
    ],
)
def test_what_no_handler_can_have_is_a_failure_without_an_attempt(
    task: Task | bytes, name: str, reason: str, said: str
) -> None:
    with testing.run(app, [task]) as batch:
        found = batch.failures[name]
    assert (found.reason, found.attempts) == (reason, 0)
    assert said in found.message
    assert batch.attempts == []


def test_message_of_another_program_is_a_task() -> None:
    with testing.run(app, [b'{"id": "t", "type": "echo", "data": {"number": "4"}}']) as batch:
        assert batch.results["t"].value["number"] == 4


def test_most_urgent_goes_first_and_retries_go_after_what_is_ready() -> None:
    tasks = [
        Task("low", "echo", priority=1),
        Task("high", "fail_until", {"times": 1}, priority=9),
        Task("middle", "echo"),
    ]
    with testing.run(app, tasks) as batch:
        assert [attempt.task_id for attempt in batch.attempts] == ["high", "middle", "low", "high"]


def test_value_that_json_cannot_carry_and_an_exit_are_failures() -> None:
    with testing.run(app, [Task("o", "odd"), Task("e", "leave")]) as batch:
        assert {name: (found.reason, found.error) for name, found in batch.failures.items()} == {
            "o": ("permanent", "ResultUnwritable"),
            "e": ("exhausted", "SystemExit"),
        }


def test_handlers_run_here() -> None:
    here = App()

    @here.task
    def where() -> list[int]:
        return [os.getpid(), threading.get_ident()]

    with testing.run(here, [Task("w", "where")]) as batch:
        assert batch.results["w"].value == [os.getpid(), threading.get_ident()]
    token = caller.set("the test")
    with testing.run(app, [Task("c", "echo"), Task("n", "nested")]) as batch:
        assert batch.results["c"].value["caller"] == "the test"
        assert batch.results["n"].value == 7
    caller.reset(token)


async def test_it_works_where_a_loop_runs() -> None:
    token = caller.set("the test")
    tasks = [Task("a", "echo"), Task("b", "echo_async", {"number": 2}), Task("n", "nested")]
    with testing.run(app, tasks) as batch:
        assert batch.failures == {}
        assert batch.results["a"].value["caller"] == "the test"
        assert (batch.results["b"].value, batch.results["n"].value) == (2, 7)
    caller.reset(token)


def test_batches_know_nothing_of_each_other() -> None:
    for _ in range(2):
        with testing.run(app, [Task("t", "echo")]) as batch, testing.run(app, []) as other:
            assert (list(batch.results), len(batch.attempts)) == (["t"], 1)
            assert other == testing.Batch({}, {}, [])


def test_of_two_tasks_with_one_id_the_first_row_counts_and_a_result_outranks_a_failure() -> None:
    tasks = [
        Task("t", "permanent", priority=9),
        Task("t", "echo", {"number": 1}),
        Task("t", "echo", {"number": 2}),
    ]
    with testing.run(app, tasks) as batch:
        assert batch.results["t"].value["number"] == 1
        assert batch.failures == {}
        assert len(batch.attempts) == 3


def test_whoever_stops_the_test_stops_it() -> None:
    with pytest.raises(KeyboardInterrupt), testing.run(app, [Task("t", "stop")]):
        pass


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: (App(), []), AppError),
        (lambda: (None, [Task("", "echo")]), InvalidTask),
        (lambda: (None, [Task("t", "echo", priority=10)]), InvalidTask),
    ],
)
def test_what_cannot_be_run_is_said(
    make: Callable[[], tuple[App | None, list[Task]]], kind: type[Exception]
) -> None:
    found, tasks = make()
    with pytest.raises(kind), testing.run(found or app, tasks):
        pass


def test_error_in_the_block_is_the_tests_own() -> None:
    with pytest.raises(ZeroDivisionError), testing.run(app, []):
        raise ZeroDivisionError


def test_what_a_failed_attempt_printed_is_told_and_printed_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printing = App(retries=0)

    @printing.task
    def say(text: str) -> None:
        sys.stdout.write(f"{text} out\n")
        sys.stderr.write(f"{text} err\n")
        raise ValueError(text)

    with testing.run(
        printing, [Task(name, "say", {"text": name * size}) for name, size in (("a", 1), ("b", 5000))]
    ) as batch:
        long = batch.failures["b"].output
        assert batch.failures["a"].output == "a out\na err\n"
    assert (len(long), long[-6:]) == (4096, "b err\n")
    said = capsys.readouterr()
    assert (said.out[:6], said.err[:6]) == ("a out\n", "a err\n")

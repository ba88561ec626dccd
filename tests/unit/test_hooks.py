"""What may be a hook, and what may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator  # noqa: TC003 - a lifespan's annotations are read when it is registered
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import warrener.testing
from warrener import App, Attempt, Task
from warrener.cli.work import _code
from warrener.errors import AppError, NotReady, UsageError, WarrenerError
from warrener.exit_codes import Exit
from warrener.worker.pool.readiness import Readiness


@dataclass
class Pool:
    """What a lifespan yields."""

    is_open: bool = True


@dataclass
class Loop:
    """What another one yields."""

    uses: int = 0


def test_lifespans_are_entered_once_for_a_test() -> None:
    app = App()
    pools: list[Pool] = []

    @app.lifespan
    @contextmanager
    def pool() -> Iterator[Pool]:
        pools.append(Pool())
        yield pools[-1]
        pools[-1].is_open = False

    @app.task
    def use(number: int, pool: Pool) -> bool:
        return pool.is_open and number > 0

    with warrener.testing.run(app, [Task(f"t{n}", "use", {"number": n}) for n in (1, 2)]) as batch:
        assert [result.value for result in batch.results.values()] == [True, True]
    assert [pool.is_open for pool in pools] == [False]
    assert app.handlers["use"].required == ("number",)


async def test_async_lifespan_and_a_plain_handler_go_together() -> None:
    app = App()
    left: list[Loop] = []

    @app.lifespan
    async def loop() -> AsyncIterator[Loop]:
        made = Loop()
        yield made
        left.append(made)

    @app.task
    def use(loop: Loop) -> int:
        loop.uses += 1
        return loop.uses

    with warrener.testing.run(app, [Task(f"t{n}", "use") for n in (1, 2)]) as batch:
        assert [result.value for result in batch.results.values()] == [1, 2]
    assert left == [Loop(2)]


def test_lifespan_that_fails_fails_the_test() -> None:
    app = App()

    @app.lifespan
    def pool() -> Iterator[Pool]:
        raise OSError("away")
        yield Pool()

    @app.task
    def use() -> None: ...

    with (
        pytest.raises(AppError, match=r"'pool' fails \(test_hooks.py, line \d+\): OSError: away"),
        warrener.testing.run(app, [Task("t", "use")]),
    ):
        pass


def _no_generator() -> Pool:
    return Pool()


def _text() -> Iterator[str]:
    yield ""


def _anything() -> Iterator[Any]:
    yield ""


def _table() -> Iterator[dict[str, Pool]]:
    yield {}


def _asking(number: int) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_no_generator, "is no generator function"),
        (_text, "yields str, which cannot be told from a task's data"),
        (_anything, "yields Any, which"),
        (_table, "yields dict"),
        (_asking, "parameter 'number' that nothing is given for"),
    ],
)
def test_what_cannot_be_a_lifespan_is_refused(function: Any, said: str) -> None:
    with pytest.raises(AppError, match=said):
        App().lifespan(function)


def test_lifespan_may_yield_nothing() -> None:
    def wait() -> Iterator[None]:
        yield

    app = App()
    app.lifespan(wait)

    assert app.lifespans[0].yields is None


def test_lifespan_stands_above_who_asks_for_it_and_alone_with_its_type() -> None:
    def pool() -> Iterator[Pool]:
        yield Pool()

    app = App()
    app.lifespan(pool)
    with pytest.raises(AppError, match="yields a Pool, as another one does"):
        app.lifespan(pool)

    late = App()

    @late.task
    def use(pool: Pool) -> None: ...

    with pytest.raises(AppError, match="comes after handler 'use', which asks for what it yields"):
        late.lifespan(pool)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if 0: yield", "it ends without a `yield`"),
        ("yield Pool()", "annotate it, as in `-> Iterator\\[Pool\\]`"),
    ],
)
def test_lifespan_that_yields_otherwise_than_it_says_is_refused_when_it_is_entered(
    body: str, said: str
) -> None:
    app, names = App(), {"Pool": Pool}
    exec(f"def pool():\n  {body}", names)  # noqa: S102 - so that it is wrong for the type checker, too
    app.lifespan(names["pool"])
    app.task("use")(lambda: None)

    with pytest.raises(AppError, match=said), warrener.testing.run(app, [Task("t", "use")]):
        pass


def test_children_that_are_tried_together_say_it_once_whatever_each_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    readiness = Readiness()
    for now in (100.0, 101.0, 103.0):
        for child in range(4):
            readiness.on_unready(f"{child} at {now}", now, is_lasting=False, has_others=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"0 at {now}; trying again" for now in (100.0, 101.0, 103.0)
    ]


def test_what_is_away_is_waited_for_half_a_minute_or_while_others_work() -> None:
    readiness = Readiness()
    fail = {"is_lasting": False, "has_others": False}
    delays = [readiness.on_unready("away", now, **fail) for now in (100.0, 100.5, 101.0, 103.0)]
    assert delays == [1.0, 0.5, 2.0, 4.0]
    assert readiness.on_unready("away", 1000.0, is_lasting=False, has_others=True) == 8.0
    with pytest.raises(NotReady, match="away; no child could begin to work for 30 s"):
        readiness.on_unready("away", 1000.0, **fail)
    readiness.on_ready()
    assert readiness.on_unready("away", 2000.0, **fail) == 1.0


def test_soft_time_limit_comes_before_the_other() -> None:
    with pytest.raises(
        UsageError, match="soft time limit of type 'slow' must come before its time limit of 5 s"
    ):

        @App(timeout=5).task(soft_timeout=5)
        def slow() -> None: ...

    with pytest.raises(UsageError, match="must be more than 0"):
        App().task(soft_timeout=0)(print)


def test_attempt_is_given_in_tests_too() -> None:
    app = App()
    seen: list[str] = []

    @app.middleware
    async def watch(task: Task, attempt: Attempt) -> AsyncIterator[None]:
        seen.append(f"{task.id} {attempt.number} {attempt.is_stopping} {attempt.time_left}")
        yield

    @app.task(timeout=60)
    def fail(attempt: Attempt) -> int:
        if attempt.number == 1:
            raise ValueError
        return attempt.number

    with warrener.testing.run(app, [Task("t", "fail")]) as batch:
        assert batch.results["t"].value == 2
    assert [line.rsplit(" ", 1)[0] for line in seen] == ["t 1 False", "t 2 False"]


def test_middleware_that_fails_after_the_handler_changes_nothing() -> None:
    app = App()

    @app.middleware
    def count() -> Generator[None, object]:
        yield
        raise ZeroDivisionError("no rows")

    app.task("use")(lambda: 1)

    with (
        pytest.warns(
            UserWarning, match="middleware 'count' raised ZeroDivisionError: no rows .* the result stands"
        ),
        warrener.testing.run(app, [Task("t", "use"), Task("u", "use")]) as batch,
    ):
        assert [result.value for result in batch.results.values()] == [1, 1]


@pytest.mark.parametrize(
    ("error", "code"), [(AppError("never"), Exit.UNFIT), (NotReady("away"), Exit.STOPPED)]
)
def test_worker_whose_lifespan_fails_ends_as_its_reason_says(error: WarrenerError, code: Exit) -> None:
    assert _code(error) == code

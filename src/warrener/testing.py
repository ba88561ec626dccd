"""Run tasks with your handlers in a test: in this process, in memory, and without waiting for retry delays.

What becomes of each task is decided by the same code as in a worker.
"""

from __future__ import annotations

import asyncio
import os
import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from warrener.address import Address
from warrener.brokers.memory import MemoryBroker, Queue
from warrener.brokers.protocol import Completed, Delayed, Delivery, Failed, Message
from warrener.codec import decode_failure, decode_record, encode_task
from warrener.errors import AppError
from warrener.models import Task
from warrener.retry import delay_schedule
from warrener.worker.child.lifespans import Lifespans, NotEntered
from warrener.worker.child.perform import perform, perform_async
from warrener.worker.child.runnable import Runnable
from warrener.worker.child.surroundings import Surroundings
from warrener.worker.frames import WorkItem
from warrener.worker.manifest import AppManifest
from warrener.worker.outcomes import Outcomes, opened
from warrener.worker.overheard import overheard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.app import App
    from warrener.brokers.memory import Entry
    from warrener.brokers.protocol import FailedTask, Outcome
    from warrener.models import Envelope
    from warrener.worker.frames import Report

__all__ = ["Attempt", "Batch", "Failure", "Result", "run"]


class Result(msgspec.Struct, frozen=True):
    """A task that completed.

    Args:
        task_id: The task's id.
        type: The task's type.
        value: What the handler returned, after its way through JSON.
        attempts: The number of the attempt that completed.
    """

    task_id: str
    type: str
    value: Any
    attempts: int


class Failure(msgspec.Struct, frozen=True):
    """A task that ended without a result.

    Args:
        task_id: The task's id.
        type: The task's type, empty where the message is no task.
        reason: `permanent`, `exhausted`, `invalid` or `unknown-type`.
        error: The last attempt's error type.
        message: What that error said.
        traceback: The last 4 KiB of its traceback.
        attempts: How many attempts there were.
        output: The last 4 KiB of what the last attempt printed.
    """

    task_id: str
    type: str
    reason: str
    error: str
    message: str
    traceback: str
    attempts: int
    output: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One call of a handler.

    Args:
        task_id: The task's id.
        type: The task's type.
        number: 1 for the task's first attempt.
        outcome: Whether the task is completed, delayed until the next attempt, or failed for good.
        delay: Seconds until the next attempt may begin; None where there is none.
        error: The exception's type; empty where there was none.
        message: What it said.
    """

    task_id: str
    type: str
    number: int
    outcome: Literal["completed", "delayed", "failed"]
    delay: float | None = None
    error: str = ""
    message: str = ""


class Batch(msgspec.Struct, frozen=True):
    """Tasks that have all ended.

    Args:
        results: By task id, in the order they came; of two tasks with one id the first.
        failures: By task id, in the order they came, of tasks without a result.
        attempts: Every call of a handler, in order.
    """

    results: dict[str, Result] = {}
    failures: dict[str, Failure] = {}
    attempts: list[Attempt] = []


@contextmanager
def run(app: App, tasks: Iterable[Task | bytes]) -> Iterator[Batch]:
    """Run tasks to their ends, one at a time, the most urgent first.

    Handlers, plain or `async`, run in this thread; where an event loop runs in it, in a thread of their own with a copy of
    this one's context, and the loop waits meanwhile. Time limits are not kept, and a handler that ends its process ends
    the test. Lifespans are entered once, and left when all have ended.

    Args:
        app: The handlers.
        tasks: What to run; bytes are a message as any program may have published it, valid or not.

    Raises:
        AppError: The app has no handlers, or a lifespan fails.
        InvalidTask: A `Task` is none that could be published.
    """
    if not app.handlers:
        raise AppError("this App has no handlers; decorate a function with @app.task")
    messages = [_message(number, task) for number, task in enumerate(tasks, 1)]
    if _is_loop_running():
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(copy_context().run, _Worker(app).run, messages).result()
    else:
        yield _Worker(app).run(messages)


class _Worker:
    """Does what the worker does with deliveries, in a time that passes only while everything is delayed."""

    def __init__(self, app: App) -> None:
        self._app = Runnable(app.handlers, app.lifespans, app.middlewares)
        self._lifespans = Lifespans(app.lifespans, _warn)
        self._around = Surroundings(app.middlewares, self._lifespans.resources, _warn)
        self._manifest = AppManifest.of(app.handlers.values())
        self._broker = MemoryBroker(Address("memory:testing"))
        self._outcomes = Outcomes(
            lambda: self._manifest, delay_schedule(self._manifest.policies), self._broker
        )
        self._time = 0.0
        self._queue = Queue(lambda: self._time)
        self._attempts: list[Attempt] = []
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, messages: list[Message]) -> Batch:
        """Work until nothing is left."""
        self._queue.publish(messages)
        with asyncio.Runner() as runner, self._entered(runner):
            while entry := self._next():
                self._queue.settle(entry, self._work(entry, runner))
        results: dict[str, Result] = {}
        for row in self._queue.results:
            result = msgspec.json.decode(row, type=Result)
            results.setdefault(result.task_id, result)
        failures = {
            failure.task_id: failure
            for failure in map(_failure, self._queue.failures.values())
            if failure.task_id not in results
        }
        return Batch(results, failures, self._attempts)

    @contextmanager
    def _entered(self, runner: asyncio.Runner) -> Iterator[None]:
        """With its lifespans, where a worker has them: in the event loop if anything of the app is `async`."""
        try:
            with self._lifespans.entered() if not self._app.needs_loop else self._entered_in(runner):
                yield
        except NotEntered as error:
            raise AppError(str(error)) from error.__cause__

    @contextmanager
    def _entered_in(self, runner: asyncio.Runner) -> Iterator[None]:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def live() -> None:  # one task of the loop, since that is what an `async` lifespan may rely on
            async with self._lifespans.entered_async():
                begun.set()
                await ended.wait()

        async def begin() -> asyncio.Task[None]:
            living = asyncio.create_task(live())
            await asyncio.wait(
                {living, asyncio.create_task(begun.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            if living.done():
                await living
            return living

        async def end(living: asyncio.Task[None]) -> None:
            ended.set()
            await living

        living = runner.run(begin())
        try:
            yield
        finally:
            runner.run(end(living))

    def _next(self) -> Entry | None:
        if not self._queue.ready and self._queue.next_due is not None:
            self._time = self._queue.next_due
        return self._queue.take()

    def _work(self, entry: Entry, runner: asyncio.Runner) -> Outcome:
        delivery = Delivery(entry.body, entry.id, entry.priority, entry.record, entry.lost, entry.number)
        found = opened(delivery, self._manifest)
        if isinstance(found, Failed):
            return found
        task, _ = found
        record = decode_record(entry.record)
        with overheard() as output:
            report = self._perform(entry.number, task, record.attempts + 1, runner)
        outcome = self._outcomes.of_report(task, record, report, self._name, bytes(output))
        if report.kind != "invalid":
            self._attempts.append(_attempt(task, record.attempts + 1, outcome))
        return outcome

    def _perform(self, number: int, task: Envelope, attempt: int, runner: asyncio.Runner) -> Report:
        handler = self._app.handlers[task.type]
        item = WorkItem(number, task.type, task.id, task.priority or 0, bytes(task.data), attempt)
        max_result = self._broker.max_body
        # Whoever presses Ctrl-C means the test, and not one attempt.
        if handler.is_async or self._around.is_async:
            return runner.run(
                perform_async(handler, item, max_result, self._around, passing=KeyboardInterrupt)
            )
        return perform(handler, item, max_result, self._around, passing=KeyboardInterrupt)


def _message(number: int, task: Task | bytes) -> Message:
    if isinstance(task, Task):
        return Message(encode_task(task), task.id, task.priority)
    return Message(task, f"message-{number}")


def _attempt(task: Envelope, number: int, outcome: Outcome) -> Attempt:
    if isinstance(outcome, Completed):
        return Attempt(task.id, task.type, number, "completed")
    last = outcome.record.history[-1]
    if isinstance(outcome, Delayed):
        return Attempt(task.id, task.type, number, "delayed", outcome.delay / 1000, last.error, last.message)
    return Attempt(task.id, task.type, number, "failed", None, last.error, last.message)


def _failure(task: FailedTask) -> Failure:
    found = decode_failure(task.body, task.id, task.record)
    trace, output = (found.history[-1].traceback, found.history[-1].output) if found.history else ("", "")
    return Failure(
        found.task_id, found.type, found.reason, found.error, found.message, trace, found.attempts, output
    )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=2)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

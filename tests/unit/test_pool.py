"""What the supervisor believes of a child must be what the child does, or its reports are not understood."""

from __future__ import annotations

import socket

import msgspec

from warren.brokers import Delivery
from warren.tasks import Envelope, Record
from warren.worker.pool import Run, _Child


def test_what_was_given_after_a_wish_to_have_tasks_back_runs_when_they_are_back() -> None:
    child = _Child(socket.socket(), slots=1)
    first, second, third, fourth = runs = [a_run(key) for key in range(4)]
    for run in runs[:2]:
        child.give(run, now=1.0)
    # The child is asked to give back what it has not begun. Meanwhile the first is reported, and more is given.
    assert child.take(first.key, now=2.0) is first
    for run in runs[2:]:
        child.give(run, now=3.0)

    assert child.give_back({second.key}, now=4.0) == [second]

    assert list(child.running.values()) == [third]
    assert third.started == 4.0
    assert child.take(third.key, now=5.0) is third
    assert child.take(fourth.key, now=6.0) is fourth
    child.connection.close()


def a_run(key: int) -> Run:
    """An attempt at a task that takes no time."""
    task = Envelope("echo", f"t{key}", msgspec.Raw(b"{}"))
    return Run(key, Delivery(b"", f"t{key}", None, None, 0, key), task, Record(), None)

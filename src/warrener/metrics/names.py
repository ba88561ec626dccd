"""Every metric: its name, kind, meaning and labels, in one place; dashboard, alerts and documents are checked against it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

OTHER_TYPE: Final = "(other)"
"""The label of types that the app has no handler for: a producer may write what it likes there."""
TASK_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0),
)
"""Seconds: tasks take from milliseconds to a day."""
WAIT_BUCKETS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
"""Seconds: on RabbitMQ the time of publishing is known to the second."""
CONFIRM_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: a broker's disk."""


class Metric(NamedTuple):
    """One metric.

    Args:
        name: As it is asked for; a counter's ends in `_total`.
        kind: What Prometheus calls it.
        text: What it means, with its unit.
        labels: The names of its labels.
        buckets: A histogram's upper bounds, but for infinity.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


TASKS: Final = Metric(
    "warrener_tasks_total",
    "counter",
    "Attempts that have come to an outcome: completed, delayed (tried again later) or failed (for good).",
    ("queue", "type", "outcome"),
)
FAILURES: Final = Metric(
    "warrener_failures_total", "counter", "Tasks that failed for good, by why.", ("queue", "reason")
)
DURATION: Final = Metric(
    "warrener_task_duration_seconds",
    "histogram",
    "Seconds that attempts took, whatever their outcome.",
    ("queue", "type"),
    TASK_BUCKETS,
)
WAIT: Final = Metric(
    "warrener_task_wait_seconds",
    "histogram",
    "Seconds from when a task was published, or its retry delay over, until its attempt began.",
    ("queue",),
    WAIT_BUCKETS,
)
CONFIRM: Final = Metric(
    "warrener_confirm_seconds",
    "histogram",
    "Seconds from when an outcome was published until the broker confirmed it.",
    ("queue",),
    CONFIRM_BUCKETS,
)
SLOTS: Final = Metric(
    "warrener_slots", "gauge", "Tasks that this worker can run at a time: busy or free.", ("queue", "state")
)
QUEUE: Final = Metric(
    "warrener_queue_tasks",
    "gauge",
    "Tasks of the queue by state, as the broker counts them: ready, delayed, failed; from the page processing and completed, too.",
    ("queue", "state", "route"),
)

METRICS: Final = (TASKS, FAILURES, DURATION, WAIT, CONFIRM, SLOTS, QUEUE)

"""Thousands of workers, hundreds of types, numbers and names as long as they come: all of it fits, and costs little to draw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.web.page import Page
    from tests.web.scene import Scene

WORKERS = 3000
TYPES = 400
DAYS = 3 * 86_400
LONG = "of_a_length_that_somebody_chose_" * 6
# What is made up here depends on no broker.
pytestmark = pytest.mark.parametrize("scene", ["sqlite"], indirect=True)


def worker(number: int) -> dict[str, Any]:
    task = {"task_id": f"{LONG}{number}", "type": LONG, "attempt": 1, "seconds": 9000.0}
    return {
        "worker": f"{LONG}{number}",
        "key": str(number),
        "version": "1",
        "slots": 64,
        "seconds": 1e6,
        "completed": 12_345_678,
        "delayed": 3,
        "failed": 123_456,
        "memory": 9_876_543_210,
        "is_paused": number % 3 == 0,
        "is_stopping": number % 3 == 1,
        "rate": 12_345.6,
        "running": [{**task, "done": 123, "total": 123_456}],
        "omitted": 60,
    }


def type_(number: int) -> dict[str, Any]:
    return {
        "type": f"{number}{LONG}",
        "completed": 12_345_678,
        "failed": 123_456,
        "retries": 123_456,
        "p50": 599.0,
        "p95": 86_399.0,
        "p99": 359_999.0,
        "max": 8_639_999.0,
        "seconds": float(number),
        "histogram": [[1.1**step / 1000, step] for step in range(150)],
    }


def event(name: str, content: object) -> str:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n"


def stream(status: dict[str, Any], workers: dict[str, Any], **others: object) -> str:
    bins = 600
    history = {
        "read": 1,
        "expected": 1,
        "is_complete": True,
        "begin": 1.7e9,
        "end": 1.7e9 + DAYS,
        "timeline": {
            "begin": 1.7e9,
            "step": DAYS / bins,
            "completed": [10**6] * bins,
            "failed": [10**4] * bins,
        },
        "types": [type_(number) for number in range(TYPES)],
        "slowest": [{"task_id": LONG, "type": LONG, "seconds": 1e6, "worker": LONG, "ended_at": 1.7e9}],
        "workers": [],
    }
    return event("status", {**status, **others}) + event("workers", workers) + event("history", history)


def test_all_that_is_large_fits(page: Page, scene: Scene) -> None:
    page.open(scene.at())
    page.has("completed", ".counts")
    asked = f"new Promise((told) => new EventSource('/api/queues/{scene.queue}/stream').addEventListener('status', (event) => told(event.data)))"
    status = json.loads(page.run(asked))
    large = {
        "total": 10**9,
        "completed": 123_456_789,
        "failed": 12_345_678,
        "ready": 800_000_000,
        "eta": [9e5, 2e6],
        "rate": 12_345.6,
        "source": f"{LONG}:/{LONG}",
        "by": LONG,
        "priorities": [{"name": str(priority), "ready": 10**8} for priority in range(10)],
        "routes": [{"name": LONG, "ready": 10**8}, {"name": "gpu", "ready": None}],
        "hold": {"what": "paused", "by": LONG, "at": 1.7e9, "limit": None},
    }
    workers = {"workers": [worker(number) for number in range(WORKERS)], "may_not": None}
    page.answer("*/stream", stream(status, workers, **large))
    page.open(scene.at())

    page.has("Show all 400 types", "button")
    page.has("Show 100 more of 3,000", "button")
    page.has("4d03h", ".types")
    assert page.run("document.querySelectorAll('*').length") < 2000
    for width in (360, 640, 1100, 1280, 2560):
        page.resize(width)
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), width


def test_what_workers_run_may_be_hidden_from_somebody(page: Page, scene: Scene) -> None:
    page.open(scene.at())
    page.has("completed", ".counts")
    told = event(
        "status", {"state": "running", "queue": scene.queue, "total": 7, "completed": 3, "failed": 0}
    )
    page.answer(
        "*/stream", told + event("workers", {"workers": None, "may_not": "what runs is not for this user"})
    )
    page.open(scene.at())

    page.has("what runs is not for this user", ".side")

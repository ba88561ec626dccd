"""One task by its id: wherever it is, all that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from warrener.errors import AccessRefused
from warrener.models import Attempt
from warrener.web.shown import attempt_members, completed, failure_members, row_members

if TYPE_CHECKING:
    from warrener.models import Failure, Result
    from warrener.web.watch import Watch


async def task(watch: Watch, task_id: str) -> dict[str, Any]:
    """What is known of a task.

    Raises:
        BrokerError: The queue cannot be read.
    """
    running = _running(watch, task_id)
    found, row, told = None, None, []
    try:
        store = await watch.fresh_failures()
        found = store.find(task_id)
        told.append(_told(store.count, watch.failures.expected, "failure", is_all=watch.failures.is_complete))
    except AccessRefused as error:
        told.append(f"no failures, which are not for this user to see ({error})")
    try:
        row = await watch.find_row(task_id)
        rows, counted = watch.rows_read
        told.append(_told(rows, counted, "row", is_all=rows >= counted))
    except AccessRefused as error:
        told.append(f"no results, which are not for this user to see ({error})")
    result = completed(row)
    workers = (watch.board.values.get("workers") or {}).get("workers")
    told.append("what no worker tells it runs" if workers is None else _run_by(len(workers)))
    state = "running" if running else "completed" if row else "failed" if found else "unknown"
    return {
        "task_id": task_id,
        "state": state,
        "type": _first(running and running["type"], result and result.type, found and found.type),
        "origin": _first(result and result.origin, found and found.origin),
        **_of_task(found),
        "attempts": _attempts(running, result, found),
        "result": row_members(row, is_alone=True) if row else None,
        "failure": failure_members(found, is_alone=True) if found else None,
        "running": running,
        "searched": f"looked through: {'; '.join(told)}. {_MEANING[state]}",
    }


_MEANING = {
    "running": "It runs.",
    "completed": "It has completed.",
    "failed": "It has failed.",
    "unknown": "It waits on the queue, where nobody can look without taking it, runs unheard, or was never published here.",
}


def _running(watch: Watch, task_id: str) -> dict[str, Any] | None:
    for worker in (watch.board.values.get("workers") or {}).get("workers") or ():
        for running in worker["running"]:
            if running.task_id == task_id:
                return {**msgspec.structs.asdict(running), "worker": worker["worker"]}
    return None


def _of_task(found: Failure | None) -> dict[str, Any]:
    task = found.task if found and isinstance(found.task, dict) else {}
    return {"priority": task.get("priority"), "data": task.get("data")}


def _attempts(
    running: dict[str, Any] | None, result: Result | None, found: Failure | None
) -> list[dict[str, Any]]:
    if result:
        attempts = [attempt_members(attempt) for attempt in result.history]
        last = Attempt(
            result.attempts, "", worker=result.worker, started_at=result.started_at, duration=result.duration
        )
        attempts.append({**attempt_members(last), "outcome": "completed"})
    else:
        attempts = [attempt_members(attempt) for attempt in found.history] if found else []
    if running:
        now = Attempt(running["attempt"], "", worker=running["worker"], duration=running["seconds"])
        attempts.append({**attempt_members(now), "outcome": "running"})
    return attempts


def _first(*values: Any) -> Any:
    return next((value for value in values if value), None)


def _run_by(workers: int) -> str:
    return "what 1 worker runs" if workers == 1 else f"what {workers:,} workers run"


def _told(read: int, expected: int, noun: str, *, is_all: bool) -> str:
    if is_all or not expected:
        return f"all {read:,} {noun}s"
    return f"{read:,} of {expected:,} {noun}s, of which the others are being read: ask again"

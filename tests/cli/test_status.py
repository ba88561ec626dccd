"""`warrener status` shows what runs, and nothing of a worker that was killed."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Final

from tests.batch import eventually
from tests.documents import ROOT

if TYPE_CHECKING:
    from tests.place import Place

APP: Final = f"{ROOT / 'tests/conformance/worker/progress_app.py'}:app"


async def test_what_runs_is_shown_until_its_worker_is_killed(place: Place) -> None:
    place.environment["PROGRESS_END"] = str(place.path / "end")
    place.tasks([{"type": "count", "id": "counted", "data": {"to": 450}}])
    assert place.warrener("publish", "tasks.jsonl").returncode == 0
    worker = place.begin("work", APP, "--processes", "1")
    told = {}

    async def has_said() -> bool:
        told.update(json.loads(place.warrener("status", "--json", "--running").stdout))
        return any(each["done"] is not None for each in told["running"])

    await eventually(has_said)
    (running,), (heard,) = told["running"], told["heard"]
    assert (running["task_id"], running["attempt"], running["done"], running["total"]) == (
        "counted",
        1,
        450,
        900,
    )
    assert running["worker"] == heard["worker"]
    assert (heard["slots"], heard["running"]) == (1, 1)
    shown = place.warrener("status").stdout.splitlines()
    assert shown[-1].startswith("running    counted  ")
    assert f"450 of 900 (50%)  on {running['worker']}" in shown[-1]
    assert "running" not in json.loads(place.warrener("status", "--json").stdout)

    worker.end(signal.SIGKILL)

    async def is_gone() -> bool:
        told.update(json.loads(place.warrener("status", "--json", "--running").stdout))
        return bool(told["running"] == [])

    await eventually(is_gone)

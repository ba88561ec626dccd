"""`warrener status` shows what runs, and nothing of a worker that was killed."""

from __future__ import annotations

import gzip
import json
import re
import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import eventually
from tests.documents import ROOT

if TYPE_CHECKING:
    from tests.place import Place

_HALVES: Final = """
from warrener import App, PermanentError

app = App()


@app.task
def halve(n: int) -> int:
    if n % 2:
        raise PermanentError(f"{n} is odd")
    return n // 2
"""
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
    shown = place.warrener("status", "--workers").stdout.splitlines()
    assert shown[-2].split()[:4] == ["WORKER", "SLOTS", "RUNNING", "COMPLETED"]
    assert shown[-1].split()[:4] == [heard["worker"], "1", "1", "0"]
    del shown[-3:]
    assert "workers    1; 1 of 1 slots run a task" in shown
    assert shown[-1].startswith("running    counted  ")
    assert f"450 of 900 (50%)  on {running['worker']}" in shown[-1]
    assert "running" not in json.loads(place.warrener("status", "--json").stdout)

    worker.end(signal.SIGKILL)

    async def is_gone() -> bool:
        told.update(json.loads(place.warrener("status", "--json", "--running").stdout))
        return bool(told["running"] == [])

    await eventually(is_gone)


def test_numbers_are_those_of_the_report(place: Place) -> None:
    # Given a batch that has ended, with failures, and whose report was written with it
    (place.path / "app.py").write_text(_HALVES)
    tasks = place.tasks([{"type": "halve", "id": f"t{n}", "data": {"n": n}} for n in range(20)])
    run = place.warrener("run", "app.py", tasks, "--report", "run.html")
    assert run.returncode == 1
    assert run.stderr.endswith("report: run.html\n")
    # When one looks at it in all ways
    of_newest = json.loads(place.warrener("status", "--json").stdout)
    exact = json.loads(place.warrener("status", "--json", "--history").stdout)
    shown = place.warrener("status", "--history").stdout.splitlines()
    assert place.warrener("report").returncode == 0
    report = (place.path / "report.html").read_text()
    # Then all of them say the same
    numbers = dict(re.findall(r'<data id="(\w+)" value="(\d+)"', report))
    assert numbers == {"total": "20", "completed": "10", "failed": "10"}
    assert (exact["total"], exact["completed"], exact["failed"]) == (20, 10, 10)
    (of_type,), (newest,) = exact["history"]["types"], of_newest["types"]
    assert (of_type["type"], of_type["completed"], of_type["failed"]) == ("halve", 10, 10)
    assert newest == {name: of_type[name] for name in ("type", "completed", "p50", "p95", "p99", "max")}
    assert of_newest["types_of"] == {"newest": 10, "rows": 10}
    (line,) = [line for line in shown if line.strip().startswith("halve")]
    assert line.split()[:4] == ["halve", "10", "10", "0"]
    assert (
        dict(re.findall(r'<data id="(\w+)" value="(\d+)"', (place.path / "run.html").read_text())) == numbers
    )
    # And the failures' group is there with a sample
    assert "PermanentError: " in report
    assert "raise PermanentError" in report


def test_report_takes_no_other_file_s_place(place: Place) -> None:
    (place.path / "app.py").write_text(_HALVES)
    tasks = place.tasks([{"type": "halve", "id": "t", "data": {"n": 2}}])
    refused = place.warrener("run", "app.py", tasks, "--report", tasks)
    assert refused.returncode == 2
    assert "are the same file: the report would take its place" in refused.stderr
    refused = place.warrener("run", "app.py", tasks, "--report", "missing/report.html")
    assert refused.returncode == 2
    assert "there is no directory missing" in refused.stderr
    assert place.warrener("status", "--watch", "--history").returncode == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param(
            "broken.csv", "1 of 2 tasks was never published: run the same command again\n", id="lines"
        ),
        pytest.param(
            "broken.csv.gz",
            "1 task was published, but not to the end of the source: run the same command again\n",
            id="packed",
        ),
    ],
)
def test_batch_that_was_not_published_to_its_end_is_not_done(each_place: Place, name: str, said: str) -> None:
    (each_place.path / "app.py").write_text(_HALVES)
    text = b'n\n2\n"4\n'
    (each_place.path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert each_place.warrener("publish", name, "--type", "halve").returncode == 2
    assert each_place.warrener("work", "app.py", "--drain").returncode == 0

    for words in (["status", "--watch"], ["results", "--follow"]):
        done = each_place.warrener(*words)
        assert done.returncode == 1
        assert done.stderr.endswith(said)
    looked = each_place.warrener("status")
    assert "100%" not in looked.stdout
    assert json.loads(each_place.warrener("status", "--json").stdout)["progress"] in {0.5, None}

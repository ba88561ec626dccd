"""`work --metrics-port`: what Prometheus and a kubelet are told by a real worker."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.batch import APP, eventually, failures, results
from tests.place import children
from tests.scrape import page, port_of, scraped, total

if TYPE_CHECKING:
    from tests.place import Place, Running


async def test_counters_are_the_rows_after_children_were_killed(each_place: Place) -> None:
    place = each_place
    late = str(place.path / "late")
    place.warrener("setup", APP)
    tasks = [{"id": f"slow-{n}", "type": "sleep_async", "data": {"seconds": 0.02}} for n in range(40)]
    tasks += [{"id": f"bad-{n}", "type": "permanent"} for n in range(3)]
    tasks += [{"id": "late", "type": "fail_until", "data": {"file": late, "times": 2}}]
    place.warrener("publish", place.tasks(tasks))
    worker = place.begin("work", APP, "--processes", "2", "--concurrency", "2", "--metrics-port", "0")
    port = await port_of(worker)
    # When children are killed while they work
    for count in (5, 20):
        await place.has_completed(count)
        for child in _grandchildren(worker):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    async def are_done() -> bool:
        ended = (await scraped(port))["warrener_tasks_total"]
        return total(ended, outcome="completed") + total(ended, outcome="failed") >= len(tasks)

    await eventually(are_done)
    assert await page(port, "/livez") == (200, "ok\n")

    async def is_ready() -> bool:
        return (await page(port, "/readyz"))[0] == 200

    await eventually(is_ready)
    await place.has_completed(len(tasks) - 3)  # as far as the broker has written it
    found = await scraped(port)
    rows, failed = await results(place.address), await failures(place.address)
    ended = found["warrener_tasks_total"]
    assert total(ended, outcome="completed") == len(rows) == len({row["task_id"] for row in rows})
    assert total(ended, outcome="failed") == total(found["warrener_failures_total"]) == len(failed)
    assert len(rows) + len(failed) == len(tasks)
    attempts = sum(row["attempts"] for row in rows) + sum(each.attempts for each in failed.values())
    assert total(ended) == attempts
    assert total(found["warrener_slots"], state="free") == 4
    assert {sample.labels["state"] for sample in found["warrener_queue_tasks"]} == {
        "ready",
        "delayed",
        "failed",
    }
    assert worker.end(signal.SIGTERM) == 75


async def test_probes_answer_before_the_broker_is_there(place: Place) -> None:
    place.environment |= {"WARRENER_BROKER": "amqp://127.0.0.1:1", "WARRENER_QUEUE": "q"}
    worker = place.begin("work", APP, "--metrics-port", "0", "--metrics-host", "127.0.0.1")
    port = await port_of(worker)
    await worker.says("trying again")
    assert await page(port, "/livez") == (200, "ok\n")
    assert await page(port, "/readyz") == (503, "not connected to the broker yet\n")
    assert "warrener_tasks_total" in await scraped(port)
    # Two workers of one machine need two ports, and the second one says so.
    done = place.warrener("work", APP, "--metrics-port", str(port), "--metrics-host", "127.0.0.1")
    assert done.returncode == 2
    assert f"port {port} of '127.0.0.1' for metrics cannot be had" in done.stderr
    assert place.warrener("work", APP, "--metrics-host", "127.0.0.1").returncode == 2
    assert worker.end(signal.SIGTERM) == 75


def _grandchildren(worker: Running) -> list[int]:
    return [child for server in children(worker.process.pid) for child in children(server)]

"""A batch that runs by itself: each time anew, from within the cluster, with the rights of its Role."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from tests.batch import DELAYS, drain
from tests.kubernetes.rights import Entitled, allowed, documented
from tests.kubernetes.specs import SPECS, small_spec
from warrener.brokers import connect
from warrener.cli.main import app
from warrener.errors import AppError, ObjectMissing
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.manifests.cron import Schedule
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.operations import app_check, first_worker, scheduled, uninstall, worker_job
from warrener.kubernetes.operations import watch as watching
from warrener.kubernetes.operations.look import schedule_of, scheduled_run
from warrener.models import Task
from warrener.sources import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kubernetes.double import Double
    from warrener.address import Address
    from warrener.brokers import Counts
    from warrener.rows import Summary

SPEC = small_spec()
JOB, CHECK = "images-workers", "images-check"


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (watching, "LOOK_EVERY"),
        (first_worker, "_ASK_EVERY"),
        (first_worker, "_LOOK_EVERY"),
        (app_check, "_LOOK_EVERY"),
        (scheduled, "_LOOK_EVERY"),
    ):
        monkeypatch.setattr(module, name, 0.01)


class Night(Entitled):
    """A cluster whose workers drain a queue here, once their app was checked.

    Attributes:
        imports: Whether the app can be imported.
        works: Whether the workers do.
        paused: Whether they are left with work, since the batch was paused.
    """

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.imports = self.works = True
        self.paused = False
        self.workers: list[asyncio.Task[Any]] = []
        self._address = address
        self.on_create = self._react

    async def close(self) -> None:
        """Once its workers have left."""
        for worker in self.workers if self.paused else ():
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=self.paused)

    def finish(self) -> None:
        """Let the workers' Job end well."""
        self.end(JOB, "Complete")
        for pod in (found for (kind, _), found in self.objects.items() if kind == "Pod"):
            pod["status"]["phase"] = "Succeeded"

    async def patch(self, kind: str, name: str, changes: Any) -> Any:
        if changes.get("spec", {}).get("suspend"):
            for pod in (found for (kind_, _), found in self.objects.items() if kind_ == "Pod"):
                pod["status"]["phase"] = "Failed"
        return await super().patch(kind, name, changes)

    def _react(self, made: dict[str, Any]) -> None:
        if made["kind"] != "Job":
            return
        name = made["metadata"]["name"]
        if name != CHECK:
            self.pod(name)
            if self.works:
                self.workers.append(asyncio.create_task(drain(self._address, awaits_runs=True)))
            return
        pod = self.pod(name, "Succeeded" if self.imports else "Failed", name="check")
        self.output["check"] = ['INFO the app is imported; its retries need {"delays":[50]}']
        if not self.imports:
            state = {"exitCode": 78, "message": "warrener: app 'app' does not import: No module named 'x'"}
            pod["status"]["containerStatuses"] = [
                {"name": "worker", "image": "i", "restartCount": 0, "state": {"terminated": state}}
            ]
        self.end(name, "Complete" if self.imports else "Failed")


async def night(cluster: Double, address: Address, run: str, *tasks: str) -> Summary:
    def lines() -> Iterator[Line]:
        return iter([Line(number, Task(name, "echo", {})) for number, name in enumerate(tasks, 1)])

    async with asyncio.timeout(60):
        return await scheduled.run_scheduled(
            cluster,
            SPEC,
            address,
            scheduled.begun_by(run, "/data/tasks.jsonl", "app", len(tasks)),
            lines(),
            target=None,
            on_progress=lambda _: None,
            on_look=lambda *_: None,
        )


async def counted(address: Address) -> Counts:
    async with connect(address) as broker:
        return await broker.counts()


async def test_each_run_begins_anew_and_its_next_pod_goes_on(sqlite_address: Address) -> None:
    cluster = Night(sqlite_address)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)

    # Given one run with two tasks
    assert (await night(cluster, sqlite_address, "nightly-1", "a", "b")).completed == 2
    # When the next has one of them, and another one
    cluster.finish()
    summary = await night(cluster, sqlite_address, "nightly-2", "b", "c")
    # Then both run, and what the first one left is gone
    assert (summary.completed, summary.missing) == (2, 0)
    assert (await counted(sqlite_address)).completed == 2
    # And another pod of the same run collects them, and runs nothing
    deeds = list(cluster.deeds)
    assert (await night(cluster, sqlite_address, "nightly-2", "b", "c")).completed == 2
    assert cluster.deeds == deeds
    await asyncio.gather(*cluster.workers)


@pytest.mark.parametrize("limit", [(), ("--max-failures", "0")], ids=["to its end", "until it is paused"])
def test_its_pod_keeps_rows_and_a_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sqlite_address: Address, limit: tuple[str, ...]
) -> None:
    cluster = Night(replace(sqlite_address, queue=SPEC.queue))
    cluster.paused = bool(limit)
    monkeypatch.setattr(Cluster, "open", lambda **_: cluster)
    monkeypatch.setenv("WARRENER_BROKER", sqlite_address.broker)
    spec, tasks, kept = tmp_path / "spec.json", tmp_path / "tasks.jsonl", tmp_path / "results"
    spec.write_bytes(msgspec.json.encode(SPEC))
    tasks.write_text('{"id": "a", "type": "echo"}\n{"id": "b", "type": "permanent"}\n')
    if limit:  # the last task goes on until then
        wait = {"id": "c", "type": "wait_for", "data": {"file": f"{tmp_path}/go", "log": f"{tmp_path}/log"}}
        tasks.write_text(f"{tasks.read_text()}{json.dumps(wait)}\n")
    words = ["k8s", "scheduled", "--spec", str(spec), "--run", "nightly-1", str(tasks)]

    done = CliRunner().invoke(
        app, [*words, "-o", f"{kept}/nightly-1.jsonl", "--report", f"{kept}/nightly-1.html", *limit]
    )

    assert done.exit_code == 1, done.output  # since one of them has failed
    assert len((kept / "nightly-1.jsonl").read_text().splitlines()) == 1
    report = (kept / "nightly-1.html").read_text()
    assert 'id="completed" value="1"' in report
    assert 'id="failed" value="1"' in report
    assert "k8s:batch" in report
    if limit:
        assert (
            "more than 0 tasks failed (1), so the batch is paused: see `warrener failures list" in done.output
        )
        assert f"results so far: {kept}/nightly-1.jsonl" in done.output


async def test_it_does_what_its_role_allows_and_makes_nothing_but_jobs(sqlite_address: Address) -> None:
    cluster = Night(sqlite_address)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    (role,) = (found for found in render(*SPECS["schedule"]) if found["kind"] == "Role")

    await night(cluster, sqlite_address, "nightly-1", "a")
    cluster.used.clear()
    await night(cluster, sqlite_address, "nightly-2", "a")

    assert cluster.used <= allowed(role)
    assert ("batch", "jobs", "patch") in cluster.used
    assert not {name for kind, name in cluster.objects if kind in ("ConfigMap", "Secret")}
    await asyncio.gather(*cluster.workers)


async def test_workers_of_the_time_before_are_stopped(sqlite_address: Address) -> None:
    cluster = Night(sqlite_address)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    cluster.works = False
    await worker_job.start(cluster, SPEC)
    cluster.works = True

    summary = await night(cluster, sqlite_address, "nightly-2", "a")

    assert summary.completed == 1
    assert [name for kind, name in cluster.objects if kind == "Job"] == [f"{JOB}-2"]
    await asyncio.gather(*cluster.workers)


async def test_an_app_that_does_not_import_drops_nothing(sqlite_address: Address) -> None:
    cluster = Night(sqlite_address)
    async with connect(sqlite_address) as broker:
        await broker.declare(DELAYS)
    await night(cluster, sqlite_address, "nightly-1", "a")
    cluster.finish()
    cluster.imports = False

    with pytest.raises(AppError, match="No module named 'x'"):
        await night(cluster, sqlite_address, "nightly-2", "a")

    assert (await counted(sqlite_address)).completed == 1
    await asyncio.gather(*cluster.workers)


def a_schedule(**more: Any) -> Any:
    return small_spec(
        schedule=Schedule(cron="@daily", **{"tasks": ("https://example.com/tasks.jsonl",), **more})
    )


def a_claim(phase: str) -> Any:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "images", "namespace": "batch"},
        "status": {"phase": phase},
    }


async def test_a_volume_that_is_not_there_is_said_before_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare(*_: object) -> None: ...

    monkeypatch.setattr(scheduled, "prepare", prepare)
    cluster, said = Entitled(), list[str]()
    wanted = a_schedule(tasks=("/data/tasks.jsonl",), volume="images")

    with pytest.raises(ObjectMissing, match="there is no PersistentVolumeClaim 'images' in namespace batch"):
        await scheduled.schedule(cluster, wanted, said.append, said.append)
    assert cluster.deeds == []

    cluster.objects["PersistentVolumeClaim", "images"] = a_claim("Pending")
    cluster.tell("PersistentVolumeClaim", "images", "WaitForFirstConsumer", "waiting for first consumer")
    await scheduled.schedule(cluster, wanted, said.append, said.append)
    (note,) = said
    assert note == (
        "note: the volume claim images is not bound yet (waiting for first consumer): a pod that mounts it must be there first, "
        "or something is wrong with its class (`kubectl describe pvc images --namespace batch`); until then no task is on it"
    )

    cluster.objects["PersistentVolumeClaim", "images"] = a_claim("Bound")
    await scheduled.schedule(cluster, wanted, said.append, said.append)
    assert len(said) == 1
    assert cluster.used <= documented()


async def test_what_is_in_the_way_of_a_run_is_seen() -> None:
    cluster = Entitled()
    assert await scheduled_run(cluster, "images") is None
    wanted = a_schedule(tasks=("/data/tasks.jsonl",), volume="images")
    (made,) = (found for found in render(wanted, ["workers"]) if found["kind"] == "CronJob")
    await cluster.create(
        {"apiVersion": "batch/v1", "kind": "Job", **made["spec"]["jobTemplate"]}
        | {"metadata": {**made["spec"]["jobTemplate"]["metadata"], "name": "by-hand"}}
    )
    # Given a pod that waits for its volume without a word
    cluster.pod("by-hand", "Pending")
    cluster.objects["PersistentVolumeClaim", "images"] = a_claim("Pending")
    cluster.tell("PersistentVolumeClaim", "images", "ExternalProvisioning", "waiting for a volume")

    run = await scheduled_run(cluster, "images")

    assert run
    (found,) = run.diagnoses
    assert found.text == (
        "the volume claim images is not bound yet (waiting for a volume): see to what makes its volumes; "
        "`kubectl describe pvc images --namespace batch`"
    )
    assert cluster.used <= documented()
    cluster.end("by-hand", "Complete")
    assert await scheduled_run(cluster, "images") is None


async def test_a_schedule_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare(*_: object) -> None: ...

    monkeypatch.setattr(scheduled, "prepare", prepare)
    cluster = Entitled()
    said: Callable[[str], None] = lambda _: None  # noqa: E731

    assert await scheduled.schedule(cluster, a_schedule(), said) == "images-schedule"
    made = {kind for kind, name in cluster.objects if name == "images-schedule"}
    assert made == {"CronJob", "ConfigMap", "ServiceAccount", "Role", "RoleBinding"}

    await scheduled.unschedule(cluster, "images")
    assert [key for key in cluster.objects if key[1] == "images-schedule"] == []
    with pytest.raises(ObjectMissing, match="queue 'images' has no schedule in namespace batch"):
        await scheduled.unschedule(cluster, "images")

    await scheduled.schedule(cluster, a_schedule(), said)
    assert await schedule_of(cluster, "images") == "@daily; none begun yet"
    cluster.objects["CronJob", "images-schedule"]["status"] = {
        "active": [{}],
        "lastScheduleTime": "2026-11-27T02:00:00Z",
        "lastSuccessfulTime": "2026-11-26T02:10:00Z",
    }
    assert await schedule_of(cluster, "images") == (
        "@daily; last begun 2026-11-27T02:00:00Z, one goes on, last went well 2026-11-26T02:10:00Z"
    )
    assert await schedule_of(cluster, "other") is None
    removed = await uninstall.uninstall(cluster, purge=False)
    assert {name for name in removed.names if "images-schedule" in name} == {
        f"{kind} images-schedule" for kind in made
    }

    assert cluster.used - documented() == {("", "namespaces", "get")}


async def test_who_has_no_schedules_need_not_be_allowed_to_see_roles() -> None:
    cluster = Entitled()

    await uninstall.uninstall(cluster, purge=True)

    assert not {group for group, _, _ in cluster.used if group.startswith("rbac")}

"""What is counted of a task, how it is written down, and who is answered."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.documents import Document
from tests.scrape import asked, scraped
from warrener.brokers import Completed, Delivery, Depths, Failed
from warrener.codec import encode, encode_record
from warrener.errors import BrokerError, UsageError
from warrener.metrics import queue, samples, server
from warrener.metrics.names import METRICS, OTHER_TYPE, QUEUE, TASKS, WAIT
from warrener.metrics.queue import QueueDepths, of_queues
from warrener.metrics.samples import written
from warrener.metrics.server import Answer, Server
from warrener.metrics.serving import WorkerMetrics
from warrener.metrics.tally import Tally
from warrener.models import Attempt, Reason, Record, Result

if TYPE_CHECKING:
    from warrener.metrics.samples import Sample

PUBLISHED, BEGAN = 1_800_000_000.0, 1_800_000_050.0
ROW = Completed(encode(Result("t", "echo", "completed", msgspec.Raw(b"1"), 1, "here:1", BEGAN, BEGAN, 0.25)))


@pytest.mark.parametrize(
    ("given", "waited"),
    [
        ({"published_at": PUBLISHED}, 50.0),
        ({"published_at": BEGAN + 0.5}, 0.0),  # by another clock
        ({"published_at": PUBLISHED, "record": encode_record(Record(1, ready_at=BEGAN - 2))}, 2.0),
        ({"published_at": PUBLISHED, "record": b"{"}, 50.0),
        ({"published_at": PUBLISHED, "lost": 1}, None),
        ({}, None),
    ],
)
def test_wait_is_since_a_task_could_have_begun_where_that_is_known(
    given: dict[str, Any], waited: float | None
) -> None:
    tally = Tally("q")
    tally.on_settled(_delivery(**given), ROW)
    ((counts, total),) = [sample.value for sample in tally.samples() if sample.metric is WAIT]  # type: ignore[misc]
    assert (sum(counts), total) == ((0, 0.0) if waited is None else (1, waited))


def test_a_delayed_record_says_when_its_task_is_ready() -> None:
    assert Record(1).ready_at is None
    assert Record(1).delay(90_000).ready_at == pytest.approx(time.time() + 90, abs=30)


def test_types_without_a_handler_are_counted_as_one() -> None:
    tally, any_type = Tally("q"), Tally("q")
    tally.know(["echo"])
    any_type.know(["*"])
    for n in range(1000):
        body = encode({"id": f"t{n}", "type": f"type-{n}"})
        outcome = Failed(Record(0, history=(Attempt(0, "InvalidTask"),)).fail("unknown-type"))
        tally.on_settled(_delivery(body), outcome)
        any_type.on_settled(_delivery(body), ROW)
    assert _types(tally.samples()) == {"echo": 0, OTHER_TYPE: 1000}
    assert _types(any_type.samples()) == {"*": 1000}


def test_what_is_written_is_what_prometheus_reads() -> None:
    tally = Tally('q"\n')
    tally.know(["echo"])
    tally.on_settled(_delivery(published_at=PUBLISHED), ROW)
    tally.confirm.add(0.02)
    content_type, body = written(tally.samples())
    assert content_type.startswith("text/plain")
    found = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert {f"{name}_total" if found[name].type == "counter" else name for name in found} <= {
        metric.name for metric in METRICS
    }
    (count,) = (
        sample.value
        for sample in found["warrener_tasks"].samples
        if sample.labels == {"queue": 'q"\n', "type": "echo", "outcome": "completed"}
    )
    assert count == 1
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in found["warrener_task_duration_seconds"].samples
        if sample.name.endswith("_bucket")
    ]
    assert buckets[4:7] == [("0.1", 0.0), ("0.25", 1.0), ("0.5", 1.0)]
    assert buckets[-1] == ("+Inf", 1.0)
    assert b"# EOF" in written(tally.samples(), "application/openmetrics-text;version=1.0.0")[1]


def test_the_page_has_every_name_with_its_kind_and_labels() -> None:
    text = Document("docs/metrics.md").text
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {metric.kind} | {labels} |" in text
    assert set(re.findall(r"^\| `(warrener_\w+)`", text, re.MULTILINE)) == {metric.name for metric in METRICS}
    for reason in get_args(Reason):
        assert f"`{reason}`" in text


def test_dashboard_and_alerts_ask_for_what_there_is() -> None:
    known = {metric.name: set(metric.labels) for metric in METRICS}
    for metric in METRICS:
        if metric.kind == "histogram":
            known |= {f"{metric.name}_{part}": {*metric.labels} for part in ("count", "sum")}
            known[f"{metric.name}_bucket"] = {*metric.labels, "le"}
    texts = [
        (files("warrener.metrics") / "prometheus" / name).read_text()
        for name in ("alerts.yaml", "dashboard.json")
    ]
    asked = [
        named
        for text in texts
        for named in re.findall(r"(warrener_\w+)(?:\{(.*?)\})?", text.replace('\\"', '"'))
    ]
    assert {name for name, _ in asked} <= known.keys()
    assert {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name, _ in asked
    } == {metric.name for metric in METRICS}
    for name, matchers in asked:
        assert set(re.findall(r"(\w+)(?:=~|=)", matchers)) <= known[name]


def test_each_alert_has_its_section_on_the_page() -> None:
    text = Document("docs/metrics.md").text
    alerts = (files("warrener.metrics") / "prometheus" / "alerts.yaml").read_text()
    names = re.findall(r"alert: (\w+)", alerts)
    assert re.findall(r"^### (Warrener\w+)", text, re.MULTILINE) == names
    assert re.findall(r"runbook: docs/metrics.md#(\w+)", alerts) == [name.lower() for name in names]


def test_queues_are_told_as_far_as_they_can_be_counted() -> None:
    states = ("ready", "processing", "delayed", "completed", "failed")
    counted = {"b": (1, None, 2, 3, 4), "a": (9, 8, 7, 6, 5)}
    queues = {queue: dict(zip(states, counts, strict=True)) for queue, counts in counted.items()}
    _, body = of_queues({**queues, "c": {"state": "away"}})
    (family,) = text_string_to_metric_families(body.decode())
    assert family.name == QUEUE.name
    told = {(sample.labels["queue"], sample.labels["state"]): sample.value for sample in family.samples}
    assert told["a", "processing"] == 8
    assert ("b", "processing") not in told
    assert len(told) == 9


async def test_broker_is_asked_once_for_all_who_ask_and_what_may_be_wrong_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = _Broker()
    depths = QueueDepths(broker, "q")  # type: ignore[arg-type]
    told = await asyncio.gather(*(depths.samples() for _ in range(50)))
    assert broker.asked == 1
    assert {sample.labels[1]: sample.value for sample in told[-1]} == {"ready": 3, "delayed": 2, "failed": 1}
    monkeypatch.setattr(queue, "KEPT", 0)
    broker.error = BrokerError("gone")
    assert await depths.samples() == []
    broker.error, broker.is_connected = None, False
    assert await depths.samples() == []


async def test_only_the_first_slots_of_a_job_ask_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    for index, asks in (("0", True), ("2", True), ("3", False), ("99", False), ("x", True)):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
        metrics = WorkerMetrics("q")
        metrics.begin(_Broker(), _Health())  # type: ignore[arg-type]
        port = await metrics.start("127.0.0.1", 0)
        try:
            assert (QUEUE.name in await scraped(port)) is asks
        finally:
            await metrics.close()


async def test_server_answers_get_and_head_and_sends_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HEAD_WITHIN", 0.2)
    monkeypatch.setattr(server, "_MOST", 4)
    gate = asyncio.Event()

    async def slow(_: str) -> Answer:
        await gate.wait()
        return Answer(200, b"late")

    async def quick(accept: str) -> Answer:
        return Answer(200, accept.encode())

    serving = Server({"/slow": slow, "/quick": quick})
    port = await serving.start(None, 0)
    try:
        late = asyncio.create_task(asked(port, b"GET /slow HTTP/1.1\r\n\r\n"))
        # Somebody else is answered meanwhile,
        answer = await asked(port, b"GET /quick?a=b HTTP/1.1\r\nHost: x\r\nACCEPT: text/plain\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\ntext/plain")
        head = await asked(port, b"HEAD /quick HTTP/1.1\r\nAccept: abc\r\n\r\n")
        assert b"Content-Length: 3\r\n" in head
        assert head.endswith(b"\r\n\r\n")
        assert b" 404 " in await asked(port, b"GET /else HTTP/1.1\r\n\r\n")
        assert b" 405 " in await asked(port, b"POST /quick HTTP/1.1\r\n\r\n")
        assert b" 400 " in await asked(port, b"nonsense\r\n\r\n")
        # and nothing is held open for whoever says nothing, too much, or comes in crowds.
        assert await asked(port, b"GET /quick HTTP/1.1\r\n") == b""
        assert await asked(port, b"GET /quick HTTP/1.1\r\n" + b"a" * 100_000) == b""
        crowd = [asyncio.create_task(asked(port, b"GET /slow HTTP/1.1\r\n\r\n")) for _ in range(8)]
        done, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        assert all(one.result() == b"" for one in done)
        gate.set()
        assert (await late).endswith(b"late")
        assert sum(answer.endswith(b"late") for answer in await asyncio.gather(*crowd)) == 3
        with pytest.raises(UsageError, match=f"port {port} for metrics cannot be had .*: use another one"):
            await Server({}).start(None, port)
        with pytest.raises(UsageError, match=r"'nowhere\.invalid'"):
            await Server({}).start("nowhere.invalid", 0)
    finally:
        await serving.close()


async def test_without_prometheus_client_there_are_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    metrics = WorkerMetrics("q")
    assert metrics.lacks == samples.MISSING
    port = await metrics.start("127.0.0.1", 0)
    try:
        assert b" 200 OK" in await asked(port, b"GET /livez HTTP/1.1\r\n\r\n")
        assert b" 503 " in await asked(port, b"GET /readyz HTTP/1.1\r\n\r\n")
        answer = await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 501 ")
        assert b"pip install 'warrener[metrics]'" in answer
    finally:
        await metrics.close()


def test_nothing_of_metrics_is_imported_by_who_does_not_want_them() -> None:
    code = (
        "import sys, warrener.cli.work, warrener.cli.worker_process, warrener.worker.supervisor;"
        "print([name for name in sys.modules if 'prometheus' in name or name.startswith('warrener.metrics')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class _Broker:
    """One that can be asked for depths."""

    is_connected = True
    error: BrokerError | None = None
    asked = 0

    async def depths(self) -> Depths:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return Depths(3, 2, 1)

    def time_confirms(self, _: object) -> None:
        pass


class _Health:
    """Of a worker that does nothing."""

    slots, busy = 2, 1

    async def keep_listening(self) -> None:
        pass


def _delivery(body: bytes = b'{"id":"t","type":"echo"}', **given: Any) -> Delivery:
    members: dict[str, Any] = {"record": None, "lost": 0, **given}
    return Delivery(body, "t", 5, tag=1, **members)


def _types(found: list[Sample]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for sample in found:
        if sample.metric is TASKS:
            counts[sample.labels[1]] = counts.get(sample.labels[1], 0) + int(sample.value)  # type: ignore[arg-type]
    return counts

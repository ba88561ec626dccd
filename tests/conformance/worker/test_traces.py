"""A trace goes with a task from whoever publishes it to its attempts, its row and its failure; and costs nobody else anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.batch import DELAYS, drain, failures, publish, results, task
from warrener import Task
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.publisher import publish_all
from warrener.trace_context import headers, packed, sending, trace_id
from warrener.worker.events import Settled, settled
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from warrener.address import Address
    from warrener.brokers import Delivery, Outcome

HERE: Final = str(Path(__file__).with_name("tracing_app.py"))
APP: Final = ChildSettings(f"{HERE}:app")
FOREIGN: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def published() -> InMemorySpanExporter:
    """The spans of this program, which publishes."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workers' children write theirs."""
    monkeypatch.setenv("TRACES_FILE", str(tmp_path / "spans"))
    return tmp_path / "spans"


async def test_trace_goes_with_a_task_to_its_attempts_its_row_and_its_failure(
    address: Address, spans: Path, published: InMemorySpanExporter
) -> None:
    # Given tasks that are published within a span, one by another program with W3C's header, and one without
    published.clear()
    await publish(address, [Message(encode_task(Task("foreign", "plain", {})), "foreign", trace=FOREIGN)])
    await publish(address, [task("plain", "untraced")])
    with trace.get_tracer("test").start_as_current_span("request") as request:
        await _publish(
            address, [Task("good", "plain", {"text": "a"}), Task("bad", "fail", {}), Task("slow", "hang", {})]
        )
    # When they are worked on
    told: list[Settled] = []

    def on_settled(delivery: Delivery, outcome: Outcome) -> None:
        told.append(settled(delivery, outcome))

    await drain(address, settings=APP, on_settled=on_settled)
    # Then the publishing is a span in the trace of whoever did it,
    (sent,) = [span for span in published.get_finished_spans() if span.kind is trace.SpanKind.PRODUCER]
    whole = trace.format_trace_id(request.get_span_context().trace_id)
    assert trace.format_trace_id(sent.context.trace_id) == whole
    attempts = [found for found in _read(spans) if found["kind"] == "SpanKind.CONSUMER"]
    of_good = _of(attempts, "good")
    # and each attempt is one in a trace of its own, linked to that,
    assert [link["context"]["trace_id"] for link in of_good["links"]] == [f"0x{whole}"]
    assert of_good["links"][0]["context"]["span_id"] == f"0x{trace.format_span_id(sent.context.span_id)}"
    assert of_good["parent_id"] is None
    assert of_good["name"] == f"process {of_good['attributes']['messaging.destination.name']}"
    assert (
        of_good["attributes"].items()
        >= {
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": "good",
            "warrener.task.type": "plain",
            "warrener.attempt": 1,
        }.items()
    )
    is_rabbitmq = not (address.is_embedded or address.is_in_memory)
    queue = address.queue
    assert of_good["attributes"]["messaging.system"] == ("rabbitmq" if is_rabbitmq else "warrener")
    assert of_good["name"] == (f"process {queue}:work:{queue}" if is_rabbitmq else f"process {queue}")
    assert sent.name == (f"send {queue}:work" if is_rabbitmq else f"send {queue}")
    # within which the handler's own spans are; and how long it waited is one in the publisher's.
    inside = [found for found in _read(spans) if found["name"] == "inside"]
    assert of_good["context"]["span_id"] in {found["parent_id"] for found in inside}
    waits = [found for found in _read(spans) if found["name"].startswith("wait ")]
    assert {found["context"]["trace_id"] for found in waits} == {f"0x{whole}", f"0x{trace_id(FOREIGN)}"}
    assert len(waits) == 5  # one for each attempt of a task with a trace
    # A failure is marked, each of its attempts has the same link,
    of_bad = [found for found in attempts if found["attributes"]["messaging.message.id"] == "bad"]
    assert [found["status"]["status_code"] for found in of_bad] == ["ERROR", "ERROR"]
    assert [found["attributes"]["error.type"] for found in of_bad] == ["ValueError", "ValueError"]
    assert len({link["context"]["span_id"] for found in of_bad for link in found["links"]}) == 1
    # and rows, failures and what is logged name the trace, that of the publisher where a child was killed.
    rows = {row["task_id"]: row.get("trace_id") for row in await results(address)}
    assert f"0x{rows['good']}" == of_good["context"]["trace_id"]
    assert f"0x{rows['untraced']}" == _of(attempts, "untraced")["context"]["trace_id"]
    assert [link["context"]["trace_id"] for link in _of(attempts, "foreign")["links"]] == [
        f"0x{trace_id(FOREIGN)}"
    ]
    failed = await failures(address)
    assert [f"0x{each.trace_id}" for each in failed["bad"].history] == [
        found["context"]["trace_id"] for found in of_bad
    ]
    assert failed["slow"].history[-1].trace_id == whole
    assert {event.trace_id for event in told if event.task_id == "good"} == {rows["good"]}
    assert {event.trace_id for event in told if event.task_id == "slow"} == {whole}
    # And the settling of each outcome is one in the attempt's trace, linked to the same, where the broker confirms.
    settles = [span for span in published.get_finished_spans() if span.kind is trace.SpanKind.CLIENT]
    if address.is_in_memory:
        assert settles == []
    else:
        _check_settles(settles, attempts, of_good, sent)


@pytest.mark.parametrize("settings", [APP, ChildSettings(f"{HERE}:async_app")], ids=["plain", "async"])
async def test_attempts_are_children_where_that_is_asked_for_and_async_ones_too(
    memory_address: Address, spans: Path, settings: ChildSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACES_PARENT", "1")
    messages = [
        Message(encode_task(Task(f"t{n}", "plain", {})), f"t{n}", trace=f"{FOREIGN} vendor=1")
        for n in range(8)
    ]
    await publish(memory_address, messages)
    await drain(memory_address, settings=settings)
    attempts = [found for found in _read(spans) if found["kind"] == "SpanKind.CONSUMER"]
    inside = [found for found in _read(spans) if found["name"] == "inside"]
    assert {found["parent_id"] for found in inside} == {found["context"]["span_id"] for found in attempts}
    assert len(inside) == len(attempts) == 8
    rows = {row["trace_id"] for row in await results(memory_address)}
    if settings is APP:
        assert {found["parent_id"] for found in attempts} == {"0xb7ad6b7169203331"}
        assert {found["context"]["trace_state"] for found in attempts} == {"['{key=vendor, value=1}']"}
        assert rows == {trace_id(FOREIGN)}
    else:
        assert len(rows) == 8


async def test_row_names_the_trace_also_where_the_worker_makes_no_spans(memory_address: Address) -> None:
    await publish(memory_address, [Message(encode_task(Task("t", "echo", {})), "t", trace=FOREIGN)])
    await drain(memory_address)
    assert [row["trace_id"] for row in await results(memory_address)] == [trace_id(FOREIGN)]


@pytest.mark.parametrize(
    ("parent", "state", "whole"),
    [
        (FOREIGN, "", FOREIGN),
        (FOREIGN, "a=1,b=2", f"{FOREIGN} a=1,b=2"),
        (FOREIGN, None, FOREIGN),
        (FOREIGN, "a" * 600, FOREIGN),
        (FOREIGN, "a\n", FOREIGN),
        ("00-xyz", "a=1", ""),
        (7, "a=1", ""),
        (None, None, ""),
    ],
)
def test_headers_that_are_none_are_no_trace(parent: object, state: object, whole: str) -> None:
    assert packed(parent, state) == whole
    assert packed(headers(whole).get("traceparent"), headers(whole).get("tracestate", "")) == whole


def test_nothing_of_opentelemetry_is_imported_by_who_does_not_use_it(tmp_path: Path) -> None:
    code = (
        "import sys, warrener\n"
        "with warrener.Publisher('sqlite:q.db') as publisher: publisher.publish(warrener.Task('t', 'echo', {}))\n"
        "import warrener.cli.work, warrener.worker.supervisor, warrener.worker.child.__main__\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


async def _publish(address: Address, tasks: list[Task]) -> None:
    async with connect(address) as broker:
        await broker.declare(DELAYS)
        with sending(broker.system, broker.queue):
            await publish_all(broker.publish_session(), tasks, lambda chunk: chunk)


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _of(attempts: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [each for each in attempts if each["attributes"]["messaging.message.id"] == name]
    return found


def _check_settles(
    settles: list[ReadableSpan], attempts: list[dict[str, Any]], of_good: dict[str, Any], sent: ReadableSpan
) -> None:
    told = [(dict(span.attributes or {}), span) for span in settles]
    assert sorted((about["messaging.message.id"], about["warrener.outcome"]) for about, _ in told) == [
        ("bad", "delayed"),
        ("bad", "failed"),
        ("foreign", "completed"),
        ("good", "completed"),
        ("slow", "failed"),
        ("untraced", "completed"),
    ]
    ((about, its),) = [each for each in told if each[0]["messaging.message.id"] == "good"]
    assert its.name == of_good["name"].replace("process", "settle")
    assert about["messaging.operation.type"] == about["messaging.operation.name"] == "settle"
    assert [link.context.span_id for link in its.links] == [sent.context.span_id]
    parents = {f"0x{span.parent.span_id:016x}" for span in settles if span.parent}
    assert parents == {found["context"]["span_id"] for found in attempts}
    (of_slow,) = [span for about, span in told if about["messaging.message.id"] == "slow"]
    assert of_slow.parent is None  # that attempt's span went with its child

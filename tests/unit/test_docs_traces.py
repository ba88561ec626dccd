"""The page about traces, followed to the letter, with a receiver of OTLP in place of a collector."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.batch import PATIENCE
from tests.documents import Document
from tests.place import WARRENER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_spans_of_a_publisher_and_of_a_worker_reach_a_collector(tmp_path: Path) -> None:
    for name, text in Document("docs/traces.md").files().items():
        (tmp_path / name).write_text(text)
    with _collector() as (endpoint, spans):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")}
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        for command in ([sys.executable, "order.py"], [*WARRENER, "work", "app.py", "--drain"]):
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    found = {span.name.split(" ")[0]: span for span in spans}
    assert found.keys() == {"order", "send", "wait", "process", "decode"}
    order, process = found["order"], found["process"]
    assert found["send"].parent_span_id == order.span_id
    assert found["wait"].parent_span_id == found["send"].span_id
    assert {found[name].trace_id for name in ("order", "send", "wait")} == {order.trace_id}
    assert [link.span_id for link in process.links] == [found["send"].span_id]
    assert (found["decode"].trace_id, found["decode"].parent_span_id) == (process.trace_id, process.span_id)
    assert process.trace_id != order.trace_id


@contextmanager
def _collector() -> Iterator[tuple[str, list[Any]]]:
    """Where spans are sent, and those that have come."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            spans.extend(
                span
                for of_resource in request.resource_spans
                for of_scope in of_resource.scope_spans
                for span in of_scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
        server.shutdown()
        thread.join()

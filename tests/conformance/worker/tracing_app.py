"""An app whose attempts are spans, written to a file when they end; as children of what published them where that is asked for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from warrener import App
from warrener.otel import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

app = App(base=0.05)
app.middleware(tracing(parent="TRACES_PARENT" in os.environ))


@app.lifespan
def provider() -> Iterator[None]:
    with open(os.environ["TRACES_FILE"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appended to by each child
        exporter = ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(indent=None) + "\n")
        made = TracerProvider()
        made.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(made)
        yield
        made.shutdown()


@app.task
def plain(text: str = "") -> str:
    with trace.get_tracer("app").start_as_current_span("inside"):
        return text


@app.task(retries=1)
def fail() -> None:
    raise ValueError("no luck")


@app.task(retries=0, timeout=0.3)
def hang() -> None:
    time.sleep(3600)


async_app = App(base=0.05)
async_app.middleware(tracing())
async_app.lifespan(provider)


@async_app.task("plain")
async def plain_async(text: str = "") -> str:
    with trace.get_tracer("app").start_as_current_span("inside"):
        return text

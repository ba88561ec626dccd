"""Spans about settling: from when an attempt has ended until the broker has what became of it.

The worker's own process makes them, which runs none of the app's code. So they are made where that process uses
OpenTelemetry: a program that runs a batch, or `opentelemetry-instrument warrener work`.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from warrener.trace_context import NAME, about, headers, taken_from
from warrener.worker.events import KINDS

if TYPE_CHECKING:
    from warrener.brokers import Broker, Delivery, Outcome

_NANOSECONDS: Final = 1_000_000_000


def trace_settling(broker: Broker) -> None:
    """Have a span made of each outcome that the broker confirms, of a task or an attempt with a trace; before it consumes.

    It is in the attempt's trace, as a child of its span, and linked to the span within which the task was published. Where
    this process uses no OpenTelemetry nothing is imported, and nothing done.
    """
    if "opentelemetry.trace" not in sys.modules:
        return
    from opentelemetry import context, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return  # it is there, but leads nowhere
    tracer, propagator = trace.get_tracer(NAME), TraceContextTextMapPropagator()
    destination = taken_from(broker.system, broker.queue)
    of_all = about(broker.system, destination, "settle")

    def on_confirmed(delivery: Delivery, outcome: Outcome, seconds: float) -> None:
        if not (delivery.span or delivery.trace):
            return
        end = time.time_ns()
        published = propagator.extract(headers(delivery.trace), context.Context())
        producer = trace.get_current_span(published).get_span_context()
        tracer.start_span(
            f"settle {destination}",
            propagator.extract(headers(delivery.span), context.Context()),
            trace.SpanKind.CLIENT,
            attributes={
                **of_all,
                "messaging.message.id": delivery.id,
                "warrener.outcome": KINDS[type(outcome)],
            },
            links=[trace.Link(producer)] if producer.is_valid else [],
            start_time=end - int(seconds * _NANOSECONDS),
        ).end(end)

    broker.time_confirms(on_confirmed)

"""W3C trace context that travels with a task: taken from whoever publishes within a span, and carried as text.

OpenTelemetry is never imported here unless the program that publishes has done so.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
NAME: Final = "warrener"
DESTINATION: Final = "messaging.destination.name"
_RABBITMQ: Final = "rabbitmq"
_KEY: Final = "work"
_LONGEST: Final = 600  # characters, of which W3C wants 512 for the state to be carried


def packed(parent: object, state: object = "") -> str:
    """The two headers `traceparent` and `tracestate` as one text; empty where they are none."""
    if not isinstance(parent, str) or not _PARENT.fullmatch(parent):
        return ""
    whole = f"{parent} {state}" if isinstance(state, str) and state and state.isprintable() else parent
    return whole if len(whole) <= _LONGEST else parent


def headers(trace: str) -> dict[str, str]:
    """The headers that `packed` made one of."""
    parent, _, state = trace.partition(" ")
    return {name: value for name, value in (("traceparent", parent), ("tracestate", state)) if value}


def trace_id(trace: str) -> str:
    """The id of the trace, in 32 digits; empty where there is none."""
    found = _PARENT.match(trace)
    return found[1] if found else ""


def current() -> str:
    """The context of the span that this program is in; empty where it is in none, or uses no OpenTelemetry."""
    if "opentelemetry.trace" not in sys.modules:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return packed(carrier.get("traceparent"), carrier.get("tracestate", ""))


@contextmanager
def sending(system: str, queue: str) -> Iterator[None]:
    """A span about the publishing that is done meanwhile, where this program uses OpenTelemetry.

    Args:
        system: Of the broker, see `Publisher`.
        queue: Where to.
    """
    if "opentelemetry.trace" not in sys.modules:
        yield
        return
    from opentelemetry import trace

    attributes = about(system, sent_to(system, queue), "send")
    kind = trace.SpanKind.PRODUCER
    with trace.get_tracer(NAME).start_as_current_span(
        f"send {attributes[DESTINATION]}", kind=kind, attributes=attributes
    ):
        yield


def sent_to(system: str, queue: str) -> str:
    """What a producer's destination is called by OpenTelemetry's conventions: on RabbitMQ an exchange and a key."""
    return f"{queue}:{_KEY}" if system == _RABBITMQ else queue


def taken_from(system: str, queue: str) -> str:
    """The same of a consumer: an exchange, a key and a queue."""
    return f"{queue}:{_KEY}:{queue}" if system == _RABBITMQ else queue


def about(system: str, destination: str, operation: str) -> dict[str, str]:
    """What the conventions have of every span about messages, as attributes."""
    attributes = {
        "messaging.system": system,
        DESTINATION: destination,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    if system == _RABBITMQ:
        attributes["messaging.rabbitmq.destination.routing_key"] = _KEY
    return attributes

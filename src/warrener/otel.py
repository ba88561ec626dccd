"""Traces with OpenTelemetry (`pip install 'warrener[otel]'`): a span for each attempt, as a middleware of the app."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from warrener.attempt import Attempt  # noqa: TC001 - the middleware's annotations are read
from warrener.errors import AppError
from warrener.extras import missing
from warrener.models import Task  # noqa: TC001 - as above
from warrener.trace_context import NAME, about, current, headers, taken_from

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_NANOSECONDS: Final = 1_000_000_000


def tracing(*, parent: bool = False) -> Callable[[Task, Attempt], Generator[None, Any, None]]:
    """A middleware that makes a span of each attempt, within which the handler's own are: `app.middleware(tracing())`.

    The span's name, kind and attributes are those of OpenTelemetry's conventions for messaging (`process QUEUE`). It is linked to
    the span within which the task was published, in whose trace is a span `wait QUEUE`. Rows, failures and the worker's log have
    the id of its trace. Add it before other middleware, so that these are within it. Which spans are kept, and where they go,
    says the provider that the app sets in a lifespan.

    Args:
        parent: Make it a child of the span within which the task was published, instead of a trace of its own. A batch is one trace
            then, however large.

    Raises:
        AppError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:
        raise AppError(missing("traces need", "otel")) from error
    propagator = TraceContextTextMapPropagator()
    tracer = trace.get_tracer(NAME)

    def traced(task: Task, attempt: Attempt) -> Generator[None, Any, None]:
        system, queue = attempt.home
        destination = taken_from(system, queue)
        published = propagator.extract(headers(attempt.trace_context), context.Context())
        producer = trace.get_current_span(published).get_span_context()
        if attempt.ready_at and producer.is_valid:
            began = int(attempt.ready_at * _NANOSECONDS)
            waiting = tracer.start_span(f"wait {destination}", published, start_time=began)
            waiting.end(max(began, time.time_ns()))
        with tracer.start_as_current_span(
            f"process {destination}",
            published if parent else context.Context(),
            trace.SpanKind.CONSUMER,
            attributes={
                **about(system, destination, "process"),
                "messaging.message.id": task.id,
                "warrener.task.type": task.type,
                "warrener.attempt": attempt.number,
            },
            links=[trace.Link(producer)] if producer.is_valid and not parent else [],
        ) as span:
            attempt.span = current()
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__qualname__)
                raise

    return traced

"""A message of the queue of failures as a failed task: from a worker, from RabbitMQ itself, or from anybody else."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from warrener.brokers.protocol import FailedTask
from warrener.codec import decode_record
from warrener.models import DEFAULT_PRIORITY, Attempt, Reason, Record

if TYPE_CHECKING:
    from warrener.brokers.rabbitmq.amqp.properties import Properties

_LOST: Final = "delivery_limit"
# What else RabbitMQ dead-letters for, by its own names: none of it was an attempt.
_NEVER_TRIED: Final[dict[str, tuple[Reason, str, str]]] = {
    "expired": (
        "cancelled",
        "Expired",
        "it expired before a worker took it: its producer, or a policy, gave it an expiration",
    ),
    "rejected": ("permanent", "Rejected", "a consumer rejected it, and did not say why"),
    "maxlen": ("cancelled", "QueueFull", "the queue was full, and dropped it"),
}
# What reading a header may raise that anybody has written.
_NOT_RABBITMQS: Final = (LookupError, TypeError, AttributeError, ValueError, OverflowError)
_BY_OTHERS: Final = ("permanent", "Unexplained", "another program put it here, and did not say why")


def failed_task(properties: Properties, body: bytes) -> FailedTask:
    """A message as a failed task; one without an id gets one made from its body, the same at each look."""
    record = decode_record(properties.record)
    if record.reason is None:
        record = _explained(record, properties)
    priority = DEFAULT_PRIORITY if properties.priority is None else properties.priority
    task_id = properties.id or blake2b(body, digest_size=10).hexdigest()
    return FailedTask(body, task_id, priority, record, properties.trace)


def _explained(record: Record, properties: Properties) -> Record:
    """The record of a task that no worker put here, with what RabbitMQ says of how it came."""
    why, died_at = _death(properties)
    if why == _LOST:
        record = replace(record.add_lost(properties.lost or 1), reason="crashed")
    else:
        reason, error, message = _NEVER_TRIED.get(why, _BY_OTHERS)
        if why in _NEVER_TRIED or not record.history:  # otherwise the last attempt says more
            record = record.add(Attempt(record.attempts, error, message))
        record = replace(record, reason=reason)
    return replace(record, failed_at=died_at or record.failed_at or properties.published_at)


def _death(properties: Properties) -> tuple[str, float | None]:
    """Why RabbitMQ dead-lettered a message last, and when; an empty text where it did not."""
    with suppress(*_NOT_RABBITMQS):
        died_at = None
        last = properties.header("x-death")[0]
        why = str(last["reason"])
        with suppress(*_NOT_RABBITMQS):
            died_at = last["time"].replace(tzinfo=UTC).timestamp()
        return why, died_at if died_at and died_at > 0 else None
    return "", None

"""The exchanges, queues and bindings of one queue, and what each RabbitMQ version can be asked for.

Arguments that a version does not know are refused, so they are chosen by the server's version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from warrener.brokers.protocol import DELIVERY_BACKSTOP, Completed, Delayed, Log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers.names import Names
    from warrener.brokers.protocol import Delivery, Outcome
    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.models import Record

Version = tuple[int, ...]

WORK_KEY: Final = "work"
RESULTS_KEY: Final = "results"
PACKED_KEY: Final = "results.packed"
FAILED_KEY: Final = "failed"
JOURNAL_KEY: Final = Log.JOURNAL.value
PUBLISHED_KEY: Final = Log.PUBLISHED.value
OUTPUT_KEY: Final = Log.OUTPUT.value
# A crashed delivery waits this long before it comes back, in milliseconds; less than half of the pause between
# the two looks that prove a queue drained, so that it cannot hide between them.
CRASH_DELAY: Final = (1000, 1500)

MOST_OUTPUT: Final = 1 << 30
"""So many bytes of what tasks print are kept."""
MOST_PACKED: Final = 1 << 30
"""So many bytes of packs are kept where they are only counted, which their offsets do even when they are gone."""

_V4: Final = (4, 0)
_V43: Final = (4, 3)


def delay_key(milliseconds: int) -> str:
    """The routing key into a retry delay."""
    return f"delay.{milliseconds}"


def outcome_message(delivery: Delivery, outcome: Outcome) -> tuple[str, bytes, Record | None]:
    """The routing key, body and record with which an outcome is published."""
    if isinstance(outcome, Completed):
        return RESULTS_KEY, outcome.body, None
    if isinstance(outcome, Delayed):
        return delay_key(outcome.delay), delivery.body, outcome.record
    return FAILED_KEY, delivery.body, outcome.record


class Binding(NamedTuple):
    """Messages that an exchange gets with this key go to this queue, or to the exchange of this name."""

    exchange: str
    key: str
    queue: str
    kind: Literal["queue", "exchange"] = "queue"


def exchanges(names: Names) -> dict[str, str]:
    """The type of every exchange that belongs to `names`, all of them durable, by the exchange's name."""
    direct = dict.fromkeys((names.queue, names.outcomes, names.control), "direct")
    return {**direct, names.beats: "fanout", names.packed: "fanout"}


class Place(NamedTuple):
    """Where the records of a log are: published to this exchange with this key, they are in this stream, with others."""

    exchange: str
    key: str
    stream: str


def place_of(names: Names, log: Log) -> Place:
    """Where a log is. Orders share a stream with the journal; a delivery names the exchange that it came by (seen)."""
    if log is Log.CONTROL:
        return Place(names.control, JOURNAL_KEY, names.journal)
    if log is Log.OUTPUT:  # which workers write, who may write nothing but outcomes
        return Place(names.outcomes, OUTPUT_KEY, names.log(OUTPUT_KEY))
    return Place(names.queue, log.value, names.log(log.value))


def bindings(names: Names, delays: Sequence[int]) -> list[Binding]:
    """What leads from these exchanges to these queues, in the order in which it is to be made."""
    return [
        Binding(names.queue, WORK_KEY, names.queue),
        Binding(names.queue, JOURNAL_KEY, names.journal),
        Binding(names.control, JOURNAL_KEY, names.journal),
        Binding(names.queue, PUBLISHED_KEY, names.log(PUBLISHED_KEY)),
        Binding(names.outcomes, RESULTS_KEY, names.results),
        Binding(names.packed, "", names.results),
        Binding(names.packed, "", names.packed),
        Binding(names.outcomes, FAILED_KEY, names.failed),
        *(Binding(names.outcomes, delay_key(delay), names.delay(delay)) for delay in delays),
        # At last, and at once for both streams: what came between two would be in one of them alone, and counted wrong.
        Binding(names.outcomes, PACKED_KEY, names.packed, "exchange"),
    ]


def queue_arguments(names: Names, version: Version, delays: Sequence[int]) -> dict[str, dict[str, Any]]:
    """The arguments of every queue that belongs to `names`, by the queue's name."""
    return {
        names.queue: _work(names, version),
        names.results: {"x-queue-type": "stream"},
        names.packed: {"x-queue-type": "stream", "x-max-length-bytes": MOST_PACKED},
        names.journal: {"x-queue-type": "stream"},
        names.log(PUBLISHED_KEY): {"x-queue-type": "stream"},
        names.failed: {"x-queue-type": "quorum"} | ({"x-delivery-limit": -1} if version >= _V4 else {}),
        **{names.delay(delay): _delay(names, delay) for delay in delays},
    }


def output_arguments() -> dict[str, Any]:
    """The arguments of the stream that has what tasks print, where that is kept. A stream drops whole segments."""
    return {
        "x-queue-type": "stream",
        "x-max-length-bytes": MOST_OUTPUT,
        "x-stream-max-segment-size-bytes": MOST_OUTPUT // 16,
    }


def output_binding(names: Names) -> Binding:
    """What leads there."""
    return Binding(names.outcomes, OUTPUT_KEY, names.log(OUTPUT_KEY))


def lacks(version: Version) -> list[str]:
    """What this version cannot do, as sentences."""
    missing = []
    if version < _V43:
        missing.append(
            "knows no priorities in quorum queues"
            if version < _V4
            else "knows two levels of priority (above 4 and the rest) and mixes them two to one"
        )
        missing.append("gives back the task of a crashed worker at once, without a delay")
        missing.append(
            "counts a returned task as a lost one, so that Warrener sends it through the shortest delay"
        )
    return missing


async def declare(channel: Channel, names: Names, version: Version, delays: Sequence[int]) -> None:
    """Create what is missing; raises `QueueMismatch` where something exists otherwise."""
    # Queues first: what exists otherwise is most likely one of them, and then nothing else is made.
    for queue, arguments in queue_arguments(names, version, delays).items():
        await channel.call("queue_declare", queue, durable=True, arguments=arguments)
    for exchange, kind in exchanges(names).items():
        await channel.call("exchange_declare", exchange, kind, durable=True)
    for binding in bindings(names, delays):
        await channel.call(f"{binding.kind}_bind", binding.queue, binding.exchange, binding.key)


def counts_returns(version: Version) -> bool:
    """Whether `nack` with requeue brings a task nearer to its delivery limit, as if it had failed (seen on 4.0)."""
    return version < _V43


def consumer_arguments(version: Version) -> dict[str, Any]:
    """How workers consume: a task may run for as long as its own time limit says, not the broker's."""
    a_year = 365 * 24 * 3600 * 1000
    return {"x-consumer-timeout": a_year} if version >= _V43 else {}


def _work(names: Names, version: Version) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_BACKSTOP,
        "x-dead-letter-exchange": names.outcomes,
        "x-dead-letter-routing-key": FAILED_KEY,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    if version >= _V43:
        shortest, longest = CRASH_DELAY
        arguments |= {
            "x-delayed-retry-type": "failed",
            "x-delayed-retry-min": shortest,
            "x-delayed-retry-max": longest,
        }
    else:
        arguments["x-consumer-timeout"] = 0xFFFFFFFF
    return arguments


def _delay(names: Names, milliseconds: int) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": milliseconds,
        "x-dead-letter-exchange": names.queue,
        "x-dead-letter-routing-key": WORK_KEY,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }

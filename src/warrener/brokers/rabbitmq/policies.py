"""What policies make of our queues: an operator's outrank the arguments that a queue was declared with."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from warrener.brokers.rabbitmq import topology
from warrener.errors import BrokerError, UsageError

if TYPE_CHECKING:
    from warrener.brokers.rabbitmq.management import QueueInfo
    from warrener.brokers.rabbitmq.queue import Queue

_log = logging.getLogger("warrener.broker")

_LIMIT: Final = "delivery-limit"
_WAY_OUT: Final = "have an operator take this queue out of the policy"
_ASK_FOR: Final = 1.0  # seconds; nobody waits longer for a warning

# What policies may set that our arguments do not.
_LOSSES: Final = {
    "max-length": "drops the oldest when it is full",
    "max-length-bytes": "drops the oldest when it is full",
    "max-age": "drops the oldest",
    "message-ttl": "takes away what has waited for long",
    "expires": "deletes the queue when nobody has used it for long",
}


def losses(info: QueueInfo) -> list[str]:
    """What policies make of a queue that is to keep everything, as sentences."""
    policy = info.policy
    refuses = info.arguments.get("x-overflow") == "reject-publish"
    return [
        f"queue {info.name!r}: a policy sets {key} = {policy[key]!r}, which "
        f"{'holds up who publishes when it is full' if refuses and key.startswith('max-') else effect}; {_WAY_OUT}"
        for key, effect in _LOSSES.items()
        if key in policy
    ]


def delivery_limits(queue: Queue, told: dict[str, QueueInfo], version: topology.Version) -> list[str]:
    """Where a policy lets fewer deliveries be lost than the queue was declared with, as sentences."""
    sentences = []
    for name, arguments in topology.queue_arguments(queue.names, version, []).items():
        info, own = told.get(name), arguments.get("x-delivery-limit")
        limit = info.policy.get(_LIMIT) if info else None
        if not isinstance(limit, int) or not isinstance(own, int):
            continue
        if limit >= 0 and (own < 0 or limit < own):
            effect = (
                f"drops a failure whose readers lost their connection more than {limit} times"
                if name == queue.names.failed
                else f"has a task fail as `crashed` once more than {limit} of its deliveries are lost, by restarts of the broker as well, not {own}"
            )
            sentences.append(f"queue {name!r}: a policy sets {_LIMIT} = {limit}, which {effect}; {_WAY_OUT}")
    return sentences


async def warn_of_limits(queue: Queue) -> None:
    """Log, once in this process, where a policy limits deliveries; nothing where we may not know."""
    with suppress(BrokerError, UsageError):
        connection = await queue.connections.connection()
        told = await queue.management.queues(timeout=_ASK_FOR)
        for sentence in delivery_limits(queue, told, connection.version):
            warn_once(sentence)


@cache
def warn_once(sentence: str) -> None:
    """Log a warning that this process has not logged yet."""
    _log.warning("%s", sentence)

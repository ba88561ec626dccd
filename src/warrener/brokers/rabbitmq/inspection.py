"""What `doctor` finds out about a RabbitMQ and a queue on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from warrener.brokers.protocol import Finding
from warrener.brokers.rabbitmq import policies, topology
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.brokers.rabbitmq.management import Alarm, Management, Member, QueueInfo
    from warrener.brokers.rabbitmq.queue import Queue

# The machine versions that quorum queues have at least, by RabbitMQ's version (seen on a new queue of 4.3). One that stayed
# behind after an upgrade can crash for good at the first consumer, and lose what is confirmed (rabbitmq-server#17504).
_MACHINE_VERSIONS: Final = {(4, 3): 8, (4, 0): 4}
# Seconds. A new queue is counted after five.
_COUNTED_WITHIN: Final = 7.0
_AGAIN_AFTER: Final = 0.5


async def inspect(queue: Queue) -> list[Finding]:
    """Findings, the most basic first."""
    names, management = queue.names, queue.management
    connection = await queue.connections.connection()
    version = connection.version
    findings = [_good(f"{queue.shown} answers: RabbitMQ {connection.version_text}")]
    findings += [_wrong(f"this version {lack}; 4.3 does better") for lack in topology.lacks(version)]
    try:
        told = await _told(management)
        findings += _alarms(await management.alarms())
    except BrokerError as error:
        return [*findings, _wrong(f"arguments, alarms and consumers cannot be checked: {error}")]
    delays = [length for name in told if (length := names.delay_of(name)) is not None]
    wanted = topology.queue_arguments(names, version, delays)
    if (output := names.log(topology.OUTPUT_KEY)) in told:
        wanted[output] = topology.output_arguments()
    findings += _arguments(wanted, told, names.queue)
    findings += [_wrong(text) for text in await _missing(queue, names.beats)]
    findings += _counts(told[name] for name in wanted if name in told)
    findings += await _machines(queue, [name for name in wanted if name in told], version)
    for name in (names.results, names.packed, names.journal, names.log(topology.PUBLISHED_KEY)):
        if name in told:
            told[name] = await management.queue(name)
    findings += [_wrong(text) for name in wanted if name in told for text in policies.losses(told[name])]
    findings += [_wrong(text) for text in policies.delivery_limits(queue, told, version)]
    if names.queue in told:
        findings.append(_workers((await management.queue(names.queue)).consumer_details))
    return findings


async def _told(management: Management) -> dict[str, QueueInfo]:
    """The queues, once all are counted or a new one would have been."""
    give_up_at = asyncio.get_running_loop().time() + _COUNTED_WITHIN
    while True:
        told = await management.queues()
        if not [*_uncounted(told.values())] or asyncio.get_running_loop().time() > give_up_at:
            return told
        await asyncio.sleep(_AGAIN_AFTER)


def _good(text: str) -> Finding:
    return Finding(ok=True, text=text)


def _wrong(text: str) -> Finding:
    return Finding(ok=False, text=text)


def _alarms(alarms: list[Alarm]) -> list[Finding]:
    raised = [
        _wrong(f"{alarm.node}: {alarm.resource} alarm; publishing waits until it is lifted")
        for alarm in alarms
    ]
    return raised or [_good("no memory or disk alarm")]


def _arguments(wanted: dict[str, dict[str, Any]], told: dict[str, QueueInfo], queue: str) -> list[Finding]:
    findings = []
    for name, arguments in wanted.items():
        if name not in told:
            findings.append(_wrong(f"queue {name!r} does not exist; create it with `warrener setup`"))
            continue
        current = told[name].arguments
        differing = ", ".join(
            f"{key} is {current.get(key)!r} instead of {arguments.get(key)!r}"
            for key in sorted({*arguments, *current})
            if current.get(key) != arguments.get(key)
        )
        if differing:
            way_out = f"take another queue name, or `warrener delete --queue {queue}` and set it up anew"
            findings.append(_wrong(f"queue {name!r}: {differing}; {way_out}"))
        else:
            findings.append(_good(f"queue {name!r} is as wanted"))
    return findings


async def _missing(queue: Queue, exchange: str) -> list[str]:
    """What a queue lacks that was made before workers told what they run."""
    connection = await queue.connections.connection()
    try:
        async with await connection.channel() as channel:
            await channel.call("exchange_declare", exchange, passive=True)
    except QueueMissing:
        return [
            f"exchange {exchange!r} does not exist, so nobody sees what runs; create it with `warrener setup`"
        ]
    return []


def _counts(told: Iterable[QueueInfo]) -> list[Finding]:
    return [
        _wrong(
            f"queue {info.name!r}: the management API leaves out its counts, as it does after some upgrades to RabbitMQ 4.2 "
            "and 4.3 (rabbitmq-server#16974); upgrade to the newest patch release, or set the queue up anew"
        )
        for info in _uncounted(told)
    ]


def _uncounted(told: Iterable[QueueInfo]) -> Iterator[QueueInfo]:
    """Quorum queues that the management API tells no counts of."""
    return (info for info in told if info.type == "quorum" and info.messages is None)


async def _machines(queue: Queue, present: list[str], version: topology.Version) -> list[Finding]:
    """Quorum queues whose members run older code than the broker."""
    least = next((number for since, number in _MACHINE_VERSIONS.items() if version >= since), 0)
    findings = []
    for name in present:
        members: list[Member] = []
        with suppress(BrokerError):  # a stream, or a broker that does not tell
            members = await queue.management.members(name)
        behind = [
            f"{member.node} runs version {member.machine_version}"
            for member in members
            if isinstance(member.machine_version, int) and member.machine_version < least
        ]
        if behind:
            findings.append(
                _wrong(
                    f"queue {name!r} stayed behind when the broker was upgraded ({', '.join(behind)}, {least} is current): "
                    "restart the node that leads it, or set the queue up anew; before that, enable no feature flag"
                )
            )
    return findings


def _workers(consumers: list[dict[str, Any]]) -> Finding:
    peers = sorted({str(_peer(consumer.get("channel_details"))) for consumer in consumers})
    return _good(f"{len(consumers)} workers consume" + (f", from {', '.join(peers)}" if peers else ""))


def _peer(details: object) -> object:
    return details.get("peer_host", "?") if isinstance(details, dict) else "?"

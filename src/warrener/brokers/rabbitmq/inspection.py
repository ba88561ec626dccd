"""What `doctor` finds out about a RabbitMQ and a queue on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.brokers.protocol import Finding
from warrener.brokers.rabbitmq import topology
from warrener.errors import BrokerError

if TYPE_CHECKING:
    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.link import Link
    from warrener.brokers.rabbitmq.management import Management


# What policies may set that our arguments do not.
_LOSSES: Final = {
    "max-length": "drops the oldest when it is full",
    "max-length-bytes": "drops the oldest when it is full",
    "max-age": "drops the oldest",
    "message-ttl": "takes away what has waited for long",
    "expires": "deletes the queue when nobody has used it for long",
}


async def inspect(link: Link, management: Management, names: Names, shown: str) -> list[Finding]:
    """Findings, the most basic first."""
    findings = [Finding(ok=True, text=f"{shown} answers: RabbitMQ {link.version_text}")]
    findings += [
        Finding(ok=False, text=f"this version {lack}; 4.3 does better")
        for lack in topology.lacks(link.version)
    ]
    try:
        queues = await management.queues()
        findings += _alarms(await management.alarms())
    except BrokerError as error:
        return [
            *findings,
            Finding(ok=False, text=f"arguments, alarms and consumers cannot be checked: {error}"),
        ]
    delays = [length for name in queues if (length := names.delay_of(name)) is not None]
    wanted = topology.queue_arguments(names, link.version, delays)
    findings += _arguments(wanted, queues, names.queue)
    if names.results in queues:
        queues[names.results] = await management.queue(names.results)
    findings += [found for name in wanted for found in _policies(queues.get(name, {}))]
    if names.queue in queues:
        findings.append(_workers(await management.consumers(names.queue)))
    return findings


def _alarms(alarms: list[dict[str, Any]]) -> list[Finding]:
    raised = [
        f"{alarm.get('node', '?')}: {alarm.get('resource', '?')} alarm; publishing waits until it is lifted"
        for alarm in alarms
    ]
    return [Finding(ok=False, text=text) for text in raised] or [
        Finding(ok=True, text="no memory or disk alarm")
    ]


def _arguments(
    wanted: dict[str, dict[str, Any]], queues: dict[str, dict[str, Any]], queue: str
) -> list[Finding]:
    findings = []
    for name, arguments in wanted.items():
        if name not in queues:
            findings.append(
                Finding(ok=False, text=f"queue {name!r} does not exist; create it with `warrener setup`")
            )
            continue
        current = queues[name].get("arguments", {})
        differing = ", ".join(
            f"{key} is {current.get(key)!r} instead of {arguments.get(key)!r}"
            for key in sorted({*arguments, *current})
            if current.get(key) != arguments.get(key)
        )
        if differing:
            way_out = f"take another queue name, or `warrener delete --queue {queue}` and set it up anew"
            findings.append(Finding(ok=False, text=f"queue {name!r}: {differing}; {way_out}"))
        else:
            findings.append(Finding(ok=True, text=f"queue {name!r} is as wanted"))
    return findings


def _policies(queue: dict[str, Any]) -> list[Finding]:
    """What an operator's policies make of a queue that is to keep everything."""
    policy = queue.get("effective_policy_definition") or {}
    refuses = queue.get("arguments", {}).get("x-overflow") == "reject-publish"
    return [
        Finding(
            ok=False,
            text=f"queue {queue['name']!r}: a policy sets {key} = {policy[key]!r}, which "
            f"{'holds up who publishes when it is full' if refuses and key.startswith('max-') else effect}; have an "
            "operator take this queue out of the policy",
        )
        for key, effect in _LOSSES.items()
        if key in policy
    ]


def _workers(consumers: list[dict[str, Any]]) -> Finding:
    peers = sorted({str(consumer.get("channel_details", {}).get("peer_host", "?")) for consumer in consumers})
    return Finding(
        ok=True, text=f"{len(consumers)} workers consume" + (f", from {', '.join(peers)}" if peers else "")
    )

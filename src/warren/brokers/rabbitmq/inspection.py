"""What `doctor` finds out about a RabbitMQ and a queue on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren.brokers.protocol import Finding
from warren.brokers.rabbitmq import topology
from warren.errors import AccessRefused, BrokerError

if TYPE_CHECKING:
    from warren.brokers.names import Names
    from warren.brokers.rabbitmq.link import Link
    from warren.brokers.rabbitmq.management import Management


async def inspect(link: Link, management: Management, names: Names, shown: str) -> list[Finding]:
    """Findings, the most basic first."""
    findings = [Finding(ok=True, text=f"{shown} answers: RabbitMQ {link.version_text}")]
    findings += [
        Finding(ok=False, text=f"this version {lack}; 4.3 does better")
        for lack in topology.lacks(link.version)
    ]
    try:
        queues = await management.queues()
    except BrokerError as error:
        return [
            *findings,
            Finding(ok=False, text=f"arguments, alarms and consumers cannot be checked: {error}"),
        ]
    try:
        findings += _alarms(await management.nodes())
    except AccessRefused:  # which is right for all but an administrator
        findings.append(Finding(ok=True, text="alarms are not for this user to see (tag 'monitoring')"))
    rungs = [length for name in queues if (length := names.rung_length(name)) is not None]
    findings += _arguments(topology.queue_arguments(names, link.version, rungs), queues, names.queue)
    if names.queue in queues:
        findings.append(_workers(await management.consumers(names.queue)))
    return findings


def _alarms(nodes: list[dict[str, Any]]) -> list[Finding]:
    raised = [
        f"{node['name']}: {kind} alarm; publishing waits until it is lifted"
        for node in nodes
        for kind in ("mem", "disk_free")
        if node.get(f"{kind}_alarm")
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
                Finding(ok=False, text=f"queue {name!r} does not exist; create it with `warren setup`")
            )
            continue
        current = queues[name].get("arguments", {})
        differing = ", ".join(
            f"{key} is {current.get(key)!r} instead of {arguments.get(key)!r}"
            for key in sorted({*arguments, *current})
            if current.get(key) != arguments.get(key)
        )
        if differing:
            way_out = f"take another queue name, or `warren delete --queue {queue}` and set it up anew"
            findings.append(Finding(ok=False, text=f"queue {name!r}: {differing}; {way_out}"))
        else:
            findings.append(Finding(ok=True, text=f"queue {name!r} is as wanted"))
    return findings


def _workers(consumers: list[dict[str, Any]]) -> Finding:
    peers = sorted({str(consumer.get("channel_details", {}).get("peer_host", "?")) for consumer in consumers})
    return Finding(
        ok=True, text=f"{len(consumers)} workers consume" + (f", from {', '.join(peers)}" if peers else "")
    )
